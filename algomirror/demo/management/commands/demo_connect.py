from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from algomirror.demo import connect


class Command(BaseCommand):
    help = "Connect the simulated accounts and import their contracts. Part of the demo's start."

    def handle(self, *args: Any, **options: Any) -> None:
        connect.all_accounts(self.stdout.write)
