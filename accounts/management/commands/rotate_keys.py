from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts import rotation
from algomirror.kernel.errors import Misconfigured


class Command(BaseCommand):
    help = (
        "Seal every broker key, token and second factor anew under the first of ALGOMIRROR_FERNET_KEYS. "
        "Put a new key in front, restart, run this, and only then take the old key away."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; fails while an older key is still needed")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done = rotation.rotate(actor="command:rotate_keys", only_count=options["check"])
        except Misconfigured as error:
            raise CommandError(str(error)) from None
        if options["check"]:
            if done.resealed:
                raise CommandError(f"{done.resealed} sealed values still need an older key: run rotate_keys.")
            self.stdout.write(f"All {done.fresh} sealed values are under the newest key; older keys may go.")
            return
        self.stdout.write(f"{done.resealed} sealed anew, {done.fresh} were under the newest key already.")
        if done.moved:
            raise CommandError(f"{done.moved} changed meanwhile: run this again.")
