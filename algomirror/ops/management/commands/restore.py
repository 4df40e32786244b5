from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from algomirror.kernel.errors import Misconfigured, Refused
from algomirror.ops import backup, hooks
from algomirror.ops.supervisor.lock import only_one


class Command(BaseCommand):
    help = "Put a copy in the place of the database. Stop everything first. Entries stay off until the owner releases."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("copy", type=Path)
        parser.add_argument("--replace", action="store_true", help="also over a database that holds something")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with ExitStack() as stack:
                settings.VAR_DIR.mkdir(parents=True, exist_ok=True)
                stack.enter_context(only_one(settings.VAR_DIR))
                manifest = backup.restore(options["copy"], replace=options["replace"])
                call_command("migrate", verbosity=0, interactive=False)
                said = hooks.call("restored", taken_at=manifest.taken_at)
        except (Misconfigured, Refused) as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"Restored what was taken at {manifest.taken_at}. {said}")
