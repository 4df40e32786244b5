from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from algomirror.kernel.errors import Refused
from algomirror.ops import chain


class Command(BaseCommand):
    help = "Walk the hash chain over the journal; fails at the first row that was altered, removed or slipped in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--remembered", default="", metavar="POSITION:DIGEST", help="a head noted earlier, for example in a log"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            verdict = chain.verify(remembered=options["remembered"])
        except Refused as refused:
            raise CommandError(f"{refused.message} {refused.fields['remembered']}") from None
        if not verdict.is_intact:
            where = "" if verdict.broken is None else f" First broken row: {verdict.broken}."
            raise CommandError(f"{verdict.why}{where} {verdict.checked} rows before it are intact.")
        self.stdout.write(f"Intact: {verdict.checked} rows, {verdict.unsealed} not sealed yet. Head {verdict.head}")
