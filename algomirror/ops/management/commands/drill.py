from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from algomirror.kernel.errors import Misconfigured, Refused
from algomirror.ops import backup, drill


class Command(BaseCommand):
    help = "Restore a copy into an empty place, verify its journal, and throw the place away. The database is not touched."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("copy", type=Path, nargs="?", help="the newest of BACKUP_DIR, when none is named")

    def handle(self, *args: Any, **options: Any) -> None:
        copies = backup.copies(Path(settings.BACKUP_DIR)) if settings.BACKUP_DIR else ()
        copy = options["copy"] or (copies[-1] if copies else None)
        if copy is None:
            raise CommandError("Name a copy: there is none in BACKUP_DIR.")
        try:
            done = drill.run(copy)
        except (Misconfigured, Refused) as error:
            raise CommandError(f"{copy.name} did not come back: {error}") from None
        self.stdout.write(f"{copy.name} came back in {done.took_s:.0f} s. {done.chain}")
