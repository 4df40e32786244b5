from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from algomirror.kernel.errors import Misconfigured
from algomirror.ops import backup


class Command(BaseCommand):
    help = "Copy the database while everything runs, and check the copy."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", default=settings.BACKUP_DIR, help="folder; BACKUP_DIR when not given")
        parser.add_argument("--keep", type=int, default=None, help="so many copies stay, older ones go")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["to"]:
            raise CommandError("Say where: --to FOLDER, or set BACKUP_DIR.")
        try:
            copy = backup.take(Path(options["to"]), keep=options["keep"])
        except Misconfigured as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{copy} ({copy.stat().st_size / 1e6:.1f} MB)")
