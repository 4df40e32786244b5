from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from marketdata.reference.load import load


class Command(BaseCommand):
    help = "Add missing reference data: underlyings, contract terms, hours, holidays, special sessions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--always-open", type=int, default=0, metavar="DAYS", help="demo only: open round the clock for so many days"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        for kind, count in load(actor="command:load_reference", always_open_days=options["always_open"]).items():
            self.stdout.write(f"{kind}: {count} added")
