"""The kill switch from a terminal on the server: works while the web tier does not."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from algomirror.kernel.errors import Refused
from risk.domain.states import KillLevel
from risk.services.kill import kill, scope_of


class Command(BaseCommand):
    help = "Halt entries (REDUCE), cancel orders (CANCEL), close everything (FLATTEN) or stop all but cancels (HALT)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--level", required=True, choices=[level.value for level in KillLevel])
        parser.add_argument("--scope", default="platform", help="platform, group:<id>, account:<id> or run:<id>")
        parser.add_argument("--reason", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            scope, target = scope_of(options["scope"])
            done = kill(
                scope=scope, target=target, level=options["level"], by=f"command:{getpass.getuser()}", reason=options["reason"]
            )
        except Refused as refused:
            raise CommandError(refused.message) from refused
        self.stdout.write(
            f"{done.level} on {done.scope}: {done.cancels} cancels asked, {len(done.goals)} exit goals stand, "
            f"{len(done.failures)} failures"
        )
        for failure in done.failures:
            self.stderr.write(failure)
