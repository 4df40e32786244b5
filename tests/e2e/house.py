"""A whole demo of its own: real processes, private state and ports, started as a user would start it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from tests import migrated
from tests.environment import free_ports
from tests.patience import PATIENCE_S, wait_for

ROOT = Path(__file__).resolve().parent.parent.parent
START_S = 180.0


class House:
    """`make demo` without the installing: processes, control port, database file, login."""

    def __init__(self, *, accounts: int = 3, env: dict[str, str] | None = None) -> None:
        self.var = Path(tempfile.mkdtemp(prefix="algomirror-e2e-"))
        beyond = 2 * accounts + 2
        base = free_ports(beyond + 2)
        self.sim_base, self.web_port, self.redis_port = base, base + beyond, base + beyond + 1
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("ALGOMIRROR_", "DJANGO_"))}
        for name in ("REDIS_URL", "DATABASE_URL", "DEBUG"):
            clean.pop(name, None)
        self.env = {
            **clean,
            "ALGOMIRROR_VAR": str(self.var),
            "WEB_PORT": str(self.web_port),
            "REDIS_PORT": str(self.redis_port),
            "SIM_PORT_BASE": str(self.sim_base),
            "DEMO_ACCOUNTS": str(accounts),
            **(env or {}),
        }
        self.lines: list[str] = []
        self.password = ""
        self.seconds_to_ready = 0.0
        self._process: subprocess.Popen[str] | None = None
        self._watch: subprocess.Popen[bytes] | None = None

    # --- life --------------------------------------------------------------------------------

    def start(self) -> None:
        if not (self.var / "demo.sqlite3").exists():
            migrated.copy_to(self.var / "demo.sqlite3")
        began = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, "manage.py", "demo"],
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        # A test that is killed closes its end of this pipe, and the house goes with it.
        script = f"cat >/dev/null; kill -INT {self._process.pid}"
        self._watch = subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, start_new_session=True)
        threading.Thread(target=self._read, daemon=True).start()
        wait_for(self._has_said_all, "the demo to be ready", self.tail, seconds=START_S)
        self.seconds_to_ready = time.monotonic() - began
        for line in self.lines:
            if found := re.search(r"password\s+(\S{19})\s*$", line):
                self.password = found.group(1)

    def _read(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip())

    def _has_said_all(self) -> bool:
        """That it is ready, and how to sign in, which comes a line or two later."""
        return any("ready in" in line for line in self.lines) and any("password  " in line for line in self.lines)

    def tail(self) -> str:
        return "\n".join(self.lines[-60:])

    def stop(self) -> None:
        """All at once; how a house ends when it is asked is tested elsewhere."""
        if self._process is None:
            return
        if self._watch is not None:
            os.killpg(self._watch.pid, signal.SIGKILL)
            self._watch.communicate()
        self._process.kill()
        self._process.wait(PATIENCE_S)
        if (self.var / "up.pids").exists():
            for group in self.groups().values():
                with suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)

    def remove(self) -> None:
        shutil.rmtree(self.var, ignore_errors=True)

    # --- parts -------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    def groups(self) -> dict[str, int]:
        """Name → process group of everything running, from the supervisor's own record."""
        rows = json.loads((self.var / "up.pids").read_text())["groups"]
        return {row["name"]: row["pid"] for row in rows}

    def kill(self, name: str) -> None:
        """kill -9 of one process, its children left to fend for themselves."""
        os.kill(self.groups()[name], signal.SIGKILL)

    def sql(self, query: str, *args: Any) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"file:{self.var / 'demo.sqlite3'}?mode=ro", uri=True, timeout=PATIENCE_S)) as db:
            return db.execute(query, args).fetchall()

    def one(self, query: str, *args: Any) -> Any:
        rows = self.sql(query, *args)
        return rows[0][0] if rows else None

    # --- the far side ------------------------------------------------------------------------

    def control(self, method: str, path: str, **body: Any) -> Any:
        answer = httpx.request(method, f"http://127.0.0.1:{self.sim_base}{path}", json=body or None, timeout=PATIENCE_S)
        answer.raise_for_status()
        return answer.json()

    def shock(self, underlying: str, percent: float) -> None:
        self.control("POST", "/shock", underlying=underlying, percent=percent)

    def broker_books(self, account: int) -> Any:
        """Exact books of simulated account 1, 2, 3 as its broker keeps them."""
        return self.control("GET", f"/accounts/{account}/books")

    def broker_net(self, account: int) -> dict[str, int]:
        return {p["symbol"]: int(p["quantity"]) for p in self.broker_books(account)["positions"] if int(p["quantity"])}

    def broker_realised(self, account: int) -> Decimal:
        return Decimal(self.broker_books(account)["realised"])

    def broker_orders(self, account: int) -> Counter[tuple[str, str]]:
        """(symbol, action) → units that traded, over all orders of the account."""
        out: Counter[tuple[str, str]] = Counter()
        for trade in self.broker_books(account)["trades"]:
            out[trade["symbol"], trade["action"]] += int(trade["quantity"])
        return out


@contextmanager
def a_house(**options: Any) -> Iterator[House]:
    house = House(**options)
    try:
        house.start()
        yield house
    finally:
        house.stop()
        house.remove()
