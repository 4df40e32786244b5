from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from algomirror.demo import connect, owner, steps
from algomirror.kernel import clock
from algomirror.kernel.errors import Misconfigured
from algomirror.ops.supervisor import plan, up
from algomirror.ops.supervisor.spec import Spec


class Command(BaseCommand):
    help = "Everything, simulated: paper accounts (DEMO_ACCOUNTS, three) on a market that never closes."
    requires_system_checks = []
    _password: str | None = None
    _is_shown = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--new-password", action="store_true", help="give the demo user a new password and stop")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["new_password"]:
            self._show_new_password()
            return
        began = clock.monotonic()
        accounts = Spec(name="accounts", argv=plan.manage("demo_connect"), needs=("simulator", "web"), once=True)

        def ready(_: float, say: up.Say) -> None:
            for line in self._welcome(clock.monotonic() - began):
                say(line)

        try:
            up.run(sys.stdout, simulated_accounts=connect.wanted(), then=(accounts,), ready=ready, before=self._prepare)
        except Misconfigured as error:
            raise CommandError(str(error)) from None
        finally:
            if self._password and not self._is_shown:
                self.stdout.write(f"login: {owner.USERNAME}   password: {self._password}")

    def _prepare(self) -> None:
        steps.prepare(lambda line: self.stdout.write(f"  {line}"))
        self._password = owner.create()

    def _welcome(self, seconds: float) -> list[str]:
        self._is_shown = True
        password = self._password or "as shown at the first start; for another: make demo-password"
        return [
            f"ready in {seconds:.1f} s",
            f"  open      {up.url()}",
            f"  login     {owner.USERNAME}",
            f"  password  {password}",
            "  stop      Ctrl-C",
        ]

    def _show_new_password(self) -> None:
        password = owner.reset()
        if password is None:
            raise CommandError("There is no demo user yet. Start the demo first.")
        self.stdout.write(f"login: {owner.USERNAME}   password: {password}")
