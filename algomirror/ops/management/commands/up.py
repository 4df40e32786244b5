from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from algomirror.kernel.errors import Misconfigured
from algomirror.ops.supervisor import up


class Command(BaseCommand):
    help = "Start everything on this machine from this terminal; Ctrl-C stops it."
    requires_system_checks = []  # made before anything starts, once

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--simulator", type=int, default=0, metavar="N", help="also simulate N OpenAlgo servers")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            up.run(sys.stdout, simulated_accounts=options["simulator"])
        except Misconfigured as error:
            raise CommandError(str(error)) from None
