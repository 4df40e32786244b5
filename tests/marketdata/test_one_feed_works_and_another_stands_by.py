"""Real `run_feed` processes on a database of their own."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project

from tests.marketdata.cast import control, until
from tests.simulator.conftest import Simulator

pytestmark = pytest.mark.processes

ROOT = Path(__file__).resolve().parents[2]
SET_UP = """
from accounts.models import Account, User
from accounts.crypto import seal, fingerprint
from marketdata.reference.load import load
load(actor="test", always_open_days=1)
u = User.objects.create_user("alice", "a@example.in", "x", role="OWNER")
Account.objects.create(owner=u, name="Paper 1", host_url="http://127.0.0.1:{rest}", websocket_url="ws://127.0.0.1:{stream}",
    sealed_key=seal("{key}"), key_fingerprint=fingerprint("{key}"), mode="PAPER", is_primary=True)
"""


class Installation:
    def __init__(self, var: Path, simulator: Simulator) -> None:
        self.var = var
        self.simulator = simulator
        self.env = {**os.environ, "ALGOMIRROR_VAR": str(var), "REDIS_URL": project.REDIS_URL[:-1] + "5", "LOG_LEVEL": "WARNING"}
        self.env.pop("DATABASE_URL", None)
        self.env.pop("DJANGO_SETTINGS_MODULE", None)
        self.started: list[subprocess.Popen[bytes]] = []
        self.manage("migrate", "-v0")
        text = SET_UP.format(rest=simulator.base + 1, stream=simulator.base + 2, key=simulator.keys[0])
        self.manage("shell", "-v0", "-c", text)

    def manage(self, *arguments: str) -> None:
        subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=self.env, check=True, capture_output=True, timeout=60
        )

    def feed(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "manage.py", "run_feed"], cwd=ROOT, env=self.env)
        self.started.append(process)
        return process

    def row(self, sql: str) -> Any:
        with closing(sqlite3.connect(self.var / "algomirror.sqlite3", timeout=10)) as connection:
            return connection.execute(sql).fetchone()

    def holder(self) -> str:
        found = self.row("select holder from ops_lease where name like 'feed:%'")
        return found[0] if found else ""

    def figures(self) -> dict[str, Any]:
        found = self.row("select detail from ops_heartbeat where name = 'feed'")
        return json.loads(found[0]) if found else {}


@pytest.fixture
def installation(tmp_path: Path, start_simulator: Callable[..., Simulator]) -> Iterator[Installation]:
    installed = Installation(tmp_path, start_simulator("--always-open", "--tick-ms", "100", accounts=1))
    yield installed
    for process in installed.started:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=5)


def _is_young(figures: dict[str, Any]) -> bool:
    age = figures.get("index_age_s")
    return age is not None and age < 2


def test_the_standby_takes_over_and_a_stop_takes_less_than_two_seconds(installation: Installation) -> None:
    first = installation.feed()
    until(lambda: installation.holder().endswith(f":{first.pid}"), within_s=20, what="the first works")
    until(lambda: installation.figures().get("ticks_per_s", 0) > 0, what="it ticks")
    second = installation.feed()
    until(lambda: installation.figures().get("order_streams") == "1/1", what="order stream live")
    assert installation.holder().endswith(f":{first.pid}")

    first.send_signal(signal.SIGKILL)
    until(lambda: installation.holder().endswith(f":{second.pid}"), within_s=15, what="the standby took the lease")
    until(lambda: installation.figures().get("state") == "LIVE" and _is_young(installation.figures()), what="it ticks again")

    second.send_signal(signal.SIGTERM)
    assert second.wait(timeout=2) == 0
    assert installation.holder() == ""


def test_a_paused_holder_does_nothing_after_its_term(installation: Installation) -> None:
    first = installation.feed()
    until(lambda: installation.figures().get("ticks_per_s", 0) > 0, within_s=20, what="it ticks")
    second = installation.feed()
    first.send_signal(signal.SIGSTOP)
    until(lambda: installation.holder().endswith(f":{second.pid}"), within_s=15, what="the standby took the lease")
    first.send_signal(signal.SIGCONT)
    sockets = lambda: control(installation.simulator.base, "/state")["accounts"][0]["sockets"]  # noqa: E731
    until(lambda: sockets() == 2, what="the former holder's sockets are closed")
    assert installation.holder().endswith(f":{second.pid}")


def test_without_an_account_it_waits_and_starts_when_one_appears(tmp_path: Path, installation: Installation) -> None:
    installation.manage(
        "shell",
        "-v0",
        "-c",
        "from accounts.models import Account; Account.objects.update(archived_at='2026-01-01T00:00Z', is_primary=False)",
    )
    process = installation.feed()
    installation.manage("shell", "-v0", "-c", "print(1)")
    assert process.poll() is None and installation.holder() == ""
    installation.manage(
        "shell", "-v0", "-c", "from accounts.models import Account; Account.objects.update(archived_at=None, is_primary=True)"
    )
    until(lambda: installation.figures().get("ticks_per_s", 0) > 0, within_s=15, what="it ticks")
