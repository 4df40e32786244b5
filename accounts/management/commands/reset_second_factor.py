from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.services import second_factor


class Command(BaseCommand):
    help = "Take a person's second factor off, for a lost phone without recovery codes. Journaled."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--username", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        if not second_factor.reset_from_console(options["username"]):
            raise CommandError("There is no such user, or they have no second factor.")
        self.stdout.write("It is off; they enrol again when they sign in.")
