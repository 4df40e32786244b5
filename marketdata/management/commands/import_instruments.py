from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from algomirror.kernel.errors import Refused
from marketdata.instruments import import_instruments
from marketdata.rest import feed_accounts


class Command(BaseCommand):
    help = "Import the broker's contract list for the enabled underlyings."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", type=int, default=None, metavar="ID", help="default: the primary")

    def handle(self, *args: Any, **options: Any) -> None:
        accounts = feed_accounts()
        account_id = options["account"] or (accounts[0].pk if accounts else None)
        if account_id is None:
            raise CommandError("There is no account to import through; connect one first.")
        try:
            outcome = import_instruments(account_id, actor="command:import_instruments")
        except Refused as refusal:
            raise CommandError(refusal.message) from None
        self.stdout.write(f"{outcome.imported} contracts imported, {sum(outcome.refused.values())} refused")
        for dispute in outcome.disputes:
            self.stdout.write(f"dispute: {dispute}")
        if not outcome.complete:
            raise CommandError("; ".join(f"{e}: {text}" for e, text in outcome.failed.items()) or "the list held nothing of ours")
