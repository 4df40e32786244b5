"""Real `run_feed` processes on a database of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project

from tests import migrated
from tests.marketdata.cast import control
from tests.marketdata.feed_stand import Servers
from tests.patience import PATIENCE_S, wait_for
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

    @property
    def file(self) -> Path:
        return self.var / "algomirror.sqlite3"

    def manage(self, *arguments: str) -> None:
        subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=self.env, check=True, capture_output=True, timeout=PATIENCE_S
        )

    def feed(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "manage.py", "run_feed"], cwd=ROOT, env=self.env)
        self.started.append(process)
        return process

    def row(self, sql: str) -> Any:
        with closing(sqlite3.connect(self.file, timeout=PATIENCE_S)) as connection:
            return connection.execute(sql).fetchone()

    def holder(self) -> str:
        found = self.row("select holder from ops_lease where name like 'feed:%'")
        return found[0] if found else ""

    def figures(self, of: subprocess.Popen[bytes]) -> dict[str, Any]:
        """What this process said last of its work; nothing while another holds the lease."""
        found = self.row("select detail, holder from ops_heartbeat where name = 'feed'")
        return json.loads(found[0]) if found and found[1].endswith(f":{of.pid}") else {}

    def holds(self, process: subprocess.Popen[bytes]) -> bool:
        return self.holder().endswith(f":{process.pid}")

    def ticks(self, process: subprocess.Popen[bytes]) -> bool:
        figures = self.figures(process)
        return figures.get("ticks_per_s", 0) > 0 and figures.get("state") == "LIVE" and _is_young(figures)


@pytest.fixture(scope="module")
def set_up(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of an installation with one account."""
    simulator = servers.up[0]
    made = Installation(tmp_path_factory.mktemp("made"), simulator)
    migrated.copy_to(made.file)
    text = SET_UP.format(rest=simulator.base + 1, stream=simulator.base + 2, key=simulator.keys[0])
    made.manage("shell", "-v0", "-c", text)
    return made.file


@pytest.fixture
def installation(set_up: Path, servers: Servers, tmp_path: Path) -> Iterator[Installation]:
    servers.ensure()
    installed = Installation(tmp_path, servers.up[0])
    shutil.copyfile(set_up, installed.file)
    yield installed
    for process in installed.started:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE_S)


def _is_young(figures: dict[str, Any]) -> bool:
    age = figures.get("index_age_s")
    return age is not None and age < 2


def test_the_standby_takes_over_and_a_stop_gives_the_lease_back_before_its_term(installation: Installation) -> None:
    first = installation.feed()
    wait_for(lambda: installation.ticks(first), "the first to work")
    second = installation.feed()
    wait_for(lambda: installation.figures(first).get("order_streams") == "1/1", "its order stream to live")
    assert installation.holds(first)

    first.send_signal(signal.SIGKILL)
    wait_for(lambda: installation.holds(second), "the standby to take the lease")
    wait_for(lambda: installation.ticks(second), "it to tick again")

    asked = time.monotonic()
    second.send_signal(signal.SIGTERM)
    assert second.wait(PATIENCE_S) == 0
    assert installation.holder() == "", "given back, not run out"
    assert time.monotonic() - asked < 10, "no thread of it is waited for in vain"


def test_a_paused_holder_does_nothing_after_its_term(installation: Installation) -> None:
    first = installation.feed()
    wait_for(lambda: installation.ticks(first), "the first to work")
    second = installation.feed()
    first.send_signal(signal.SIGSTOP)
    wait_for(lambda: installation.holds(second), "the standby to take the lease")
    wait_for(lambda: installation.ticks(second) and installation.figures(second).get("order_streams") == "1/1", "it to work")
    first.send_signal(signal.SIGCONT)
    sockets = lambda: control(installation.simulator.base, "/state")["accounts"][0]["sockets"]  # noqa: E731
    wait_for(lambda: sockets() == 2, "the former holder's sockets to be closed")
    assert installation.holds(second)


def test_without_an_account_it_waits_and_starts_when_one_appears(installation: Installation) -> None:
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
    wait_for(lambda: installation.ticks(process), "it to tick")
