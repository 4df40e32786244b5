from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from algomirror.ops import schedules


class Command(BaseCommand):
    help = "Create the minute's fallback schedule. Safe to run again."

    def handle(self, *args: Any, **options: Any) -> None:
        changed = schedules.ensure()
        self.stdout.write("Fallback schedule written." if changed else "Fallback schedule is in place.")
