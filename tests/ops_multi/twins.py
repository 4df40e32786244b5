"""Two of everything against one PostgreSQL and one Redis, each its own process, as on two machines."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg

from tests import apart
from tests.e2e.house import ROOT
from tests.environment import free_ports, postgres_programs, start_postgres, start_redis
from tests.ops_multi.lines import Line

PASSWORD = "Twin-Horses-7-Ride"
CLUSTERS = ("risk", "orders", "signals")


class Twins:
    def __init__(self) -> None:
        self.var = Path(tempfile.mkdtemp(prefix="algomirror-twins-"))
        self.base = free_ports(12)
        self.webs = {"web-a": self.base + 8, "web-b": self.base + 9}
        self.database = start_postgres()
        self._env = apart.environment(
            self.var,
            ALGOMIRROR_DEMO="true",
            DATABASE_URL=self.database,
            REDIS_URL=start_redis(),
            SIM_PORT_BASE=str(self.base),
            WEB_PORT=str(self.webs["web-a"]),
            REDIS_PORT=str(self.base + 10),
            OWNER_PASSWORD=PASSWORD,
        )
        # Whatever is called "-a" stands behind two cables of its own, as another machine would.
        self.cables = [Line(_port(self.database)), Line(_port(self._env["REDIS_URL"]))]
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.url = f"http://127.0.0.1:{self.webs['web-b']}"
        self.password = PASSWORD

    def prepare(self) -> None:
        sim = ("-m", "simulator", "--accounts", "3", "--port-base", str(self.base), "--always-open")
        self.start("simulator", *sim)
        for line in (
            ("migrate", "--no-input", "-v", "0"),
            ("load_reference", "--always-open", "30"),
            ("collectstatic", "--no-input", "-v", "0"),
            ("create_owner", "--username", "demo", "--email", "demo@example.invalid", "--password-env", "OWNER_PASSWORD"),
            ("shell", "-v", "0", "-c", "from algomirror.demo import connect; connect.all_accounts(print)"),
            ("ensure_schedules",),
        ):
            subprocess.run(
                [sys.executable, "manage.py", *line], cwd=ROOT, env=self._env, check=True, capture_output=True, timeout=120
            )

    def manage(self, *line: str) -> str:
        env = self._env | {"POSTGRES_BIN": str(postgres_programs())}
        done = subprocess.run(
            [sys.executable, "manage.py", *line], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def move_to(self, name: str) -> None:
        """An empty database of that name in place of the present one, for all that is started from now on."""
        with psycopg.connect(self.database, autocommit=True) as db:
            db.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
        self.database = f"{self.database.rpartition('/')[0]}/{name}"
        self._env["DATABASE_URL"] = self.database

    def start_all(self) -> None:
        for name, port in self.webs.items():
            self.start(name, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "-v", "0", "algomirror.asgi:application")
        for twin in ("a", "b"):
            self.start(f"feed-{twin}", "manage.py", "run_feed")
            self.start(f"metronome-{twin}", "manage.py", "run_metronome")
            for cluster in CLUSTERS:
                self.start(f"{cluster}-{twin}", "manage.py", "run_cluster", cluster, cluster=cluster)

    def start(self, name: str, *arguments: str, cluster: str = "") -> None:
        env = self._env | ({"Q_CLUSTER_NAME": cluster} if cluster else {}) | (self._far() if name.endswith("-a") else {})
        log = (self.var / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, env=env, stdout=log, stderr=log, start_new_session=True
        )

    def _far(self) -> dict[str, str]:
        database, queue = self.cables
        urls = {"DATABASE_URL": (self.database, database.port), "REDIS_URL": (self._env["REDIS_URL"], queue.port)}
        return {name: re.sub(r":\d+/", f":{port}/", url) for name, (url, port) in urls.items()}

    def cut(self) -> None:
        """Machine a hears and says nothing any more; its processes go on running."""
        for cable in self.cables:
            cable.cut()

    def mend(self) -> None:
        for cable in self.cables:
            cable.mend()

    def kill(self, name: str) -> None:
        """kill -9 of the whole group: a machine that lost its power."""
        os.killpg(self.processes.pop(name).pid, signal.SIGKILL)

    def stop(self) -> None:
        for name in list(self.processes):
            try:
                self.kill(name)
            except ProcessLookupError:
                continue

    def tail(self) -> str:
        return "\n".join(f"{p.stem}: {p.read_text(errors='replace')[-600:]}" for p in sorted(self.var.glob("*.log")))

    def one(self, query: str, *values: Any) -> Any:
        with psycopg.connect(self.database) as db:
            row = db.execute(query.replace("?", "%s"), values).fetchone()  # type: ignore[arg-type]
        return None if row is None else row[0]

    def holder(self, lease: str) -> str:
        """Which of ours holds it: the name of the process."""
        pid = int(
            str(self.one("select holder from ops_lease where name like ? and expires > now()", f"{lease}%") or ":0").rpartition(
                ":"
            )[2]
        )
        return next((name for name, process in self.processes.items() if process.pid == pid), "")

    def is_ready(self, web: str) -> bool:
        return httpx.get(f"http://127.0.0.1:{self.webs[web]}/readyz", timeout=3).status_code == 200

    def control(self, method: str, path: str, **body: Any) -> Any:
        answer = httpx.request(method, f"http://127.0.0.1:{self.base}{path}", json=body or None, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def net(self, account: int) -> dict[str, int]:
        positions = self.control("GET", f"/accounts/{account}/books")["positions"]
        return {p["symbol"]: int(p["quantity"]) for p in positions if int(p["quantity"])}

    def traded(self, account: int) -> Counter[tuple[str, str]]:
        out: Counter[tuple[str, str]] = Counter()
        for trade in self.control("GET", f"/accounts/{account}/books")["trades"]:
            out[trade["symbol"], trade["action"]] += int(trade["quantity"])
        return out


def _port(url: str) -> int:
    return urlsplit(url).port or 0


def moved_within(ask: Any, before: str, seconds: float) -> float:
    """Seconds until the lease is another's."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        now = ask()
        if now and now != before:
            return time.monotonic() - began
        time.sleep(0.1)
    raise AssertionError(f"the lease of {before} did not move within {seconds:.0f} s")
