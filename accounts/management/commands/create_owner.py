from __future__ import annotations

import os
import secrets
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.services.owner import register_owner
from algomirror.kernel.errors import Refused


class Command(BaseCommand):
    help = "Create the one owner without a browser, for demos and first installation."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--username", required=True)
        parser.add_argument("--email", required=True)
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--password-env", metavar="NAME", help="environment variable that holds the password")
        source.add_argument("--print-once", action="store_true", help="make a password and print it, this once")

    def handle(self, *args: Any, **options: Any) -> None:
        made = options["print_once"]
        password = f"Am1!{secrets.token_urlsafe(15)}" if made else os.environ.get(options["password_env"], "")
        try:
            register_owner(username=options["username"], email=options["email"], password=password)
        except Refused as refusal:
            details = "; ".join(f"{name}: {what}" for name, what in refusal.fields.items())
            raise CommandError(f"{refusal.message} {details}".strip()) from None
        self.stdout.write(f"Owner {options['username']} created." + (f" Password: {password}" if made else ""))
