"""kill -9 of whoever sends, at each step of a sliced entry, a cancel of everything and a way to the market.

Real processes on a database of their own (PostgreSQL with TEST_DATABASE=postgres): an orders cluster, a simulator, Redis,
and a process per deed of a person. Whatever is killed when, the broker has each slice at most once, and both sides agree.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests import apart, migrated
from tests.e2e.hand import LOT
from tests.e2e.house import ROOT
from tests.environment import free_ports, start_postgres, start_redis
from tests.patience import PATIENCE_S, wait_for

pytestmark = pytest.mark.processes

SLICES = 5
# Long enough on the wire to be killed there.
LATENCY_MS = 120
ENDED = ("FILLED", "CANCELED", "REJECTED", "LAPSED", "DENIED")

# A moment is a question to the rows; the kill follows as soon as it is answered yes. What the worker does has happened for
# good, so that no moment is missed by who looks too late; what a deed does ends at the latest with the deed.
MOMENTS = {
    "first slice on the wire": "count(*) > 0 from mine where state not in ('INITIALIZED', 'DENIED')",
    "some slices left": "count(*) >= 3 from mine where state not in ('INITIALIZED', 'DENIED')",
    "all slices left": f"count(*) >= {SLICES} from mine where state not in ('INITIALIZED', 'DENIED')",
    "a cancel is asked": "count(*) > 0 from mine where state = 'PENDING_CANCEL'",
    "some are cancelled": "count(*) >= 2 from mine where state in ('PENDING_CANCEL', 'CANCELED')",
    "one ended": "count(*) > 0 from mine where state = 'CANCELED'",
    "its successor stands": "count(*) > 0 from mine where attempt > 0",
    "its successor is on the wire": "count(*) > 0 from mine where attempt > 0 and state not in ('INITIALIZED', 'DENIED')",
}
soak = pytest.mark.soak


class Mill:
    """One account, one worker cluster, and nobody else."""

    def __init__(self) -> None:
        self.var = Path(tempfile.mkdtemp(prefix="algomirror-mill-"))
        self.base = free_ports(4)
        self.on_postgres = os.environ.get("TEST_DATABASE") == "postgres"
        self.database = start_postgres() if self.on_postgres else f"sqlite:///{self.var / 'mill.sqlite3'}"
        self.env = apart.environment(
            self.var,
            DJANGO_SETTINGS_MODULE="algomirror.settings",
            ALGOMIRROR_DEMO="true",
            DATABASE_URL=self.database,
            REDIS_URL=start_redis(),
            SIM_PORT_BASE=str(self.base),
            DEMO_ACCOUNTS="1",
            OWNER_PASSWORD="Mill-Stones-7-Turn",
            # A killed sender's order is given up sooner than in life, so that the test need not wait so long.
            LAPSE_AFTER_S="3",
            POLL_WORKING_S="0.5",
        )
        self.processes: dict[str, subprocess.Popen[Any]] = {}
        self.since = 0
        # Another size in each test: a lost order of one could be taken for that of another, and both books would freeze.
        self.units = 0

    def start(self) -> None:
        if not self.on_postgres:
            migrated.copy_to(self.var / "mill.sqlite3")
        self._start(
            "simulator", "-m", "simulator", "--accounts", "1", "--port-base", str(self.base), "--always-open", "--strikes", "2"
        )
        self.symbol = self.deed("prepare")
        self._start("time", "-m", "tests.e2e.hand", "time")
        self.work()

    def work(self) -> None:
        self._start("orders", "manage.py", "run_cluster", "orders", Q_CLUSTER_NAME="orders")

    def _start(self, name: str, *arguments: str, **env: str) -> subprocess.Popen[Any]:
        log = (self.var / f"{name}.log").open("ab")
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, env=self.env | env, stdout=log, stderr=log, start_new_session=True
        )
        self.processes[name] = process
        return process

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        process.wait(10)

    def stop(self) -> None:
        for name in list(self.processes):
            self.kill(name)
        shutil.rmtree(self.var, ignore_errors=True)

    # --- deeds ---------------------------------------------------------------------------------

    def deed(self, *words: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "tests.e2e.hand", *words],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    def killed_deed(self, moment: str, *words: str) -> None:
        """The same, killed at a moment of the rows; at its end, when it was too quick."""
        process = self._start("deed", "-m", "tests.e2e.hand", *words)
        self._until(moment, lambda: process.poll() is not None)
        self.kill("deed")

    def kill_worker_at(self, moment: str) -> set[int]:
        """Kill whoever sends and start another; the slices whose order had been claimed by then, and not answered."""
        self._until(moment, lambda: False)
        self.kill("orders")
        doubtful = {slice_no for (slice_no,) in self.mine("slice_no from mine where state in ('SUBMITTED', 'UNKNOWN')")}
        self.work()
        return doubtful

    def _until(self, moment: str, or_else: Callable[[], bool]) -> None:
        wait_for(lambda: self.mine(MOMENTS[moment])[0][0] or or_else(), f"'{moment}'", self.tail, every_s=0.004)

    # --- both sides ----------------------------------------------------------------------------

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        if self.on_postgres:
            with psycopg.connect(self.database) as db:
                return db.execute(query).fetchall()  # type: ignore[arg-type]
        with closing(sqlite3.connect(f"file:{self.var / 'mill.sqlite3'}?mode=ro", uri=True, timeout=PATIENCE_S)) as db:
            return db.execute(query).fetchall()

    def mine(self, what: str) -> list[tuple[Any, ...]]:
        """`what` follows "select", of the orders of this test ("mine")."""
        return self.rows(f"with mine as (select * from trading_order where id > {self.since}) select {what}")

    def control(self, method: str, path: str, **body: Any) -> Any:
        answer = httpx.request(method, f"http://127.0.0.1:{self.base}{path}", json=body or None, timeout=PATIENCE_S)
        answer.raise_for_status()
        return answer.json()

    def books(self) -> Any:
        return self.control("GET", "/accounts/1/books")

    def price(self) -> float:
        body = {"apikey": self._key(), "symbol": self.symbol, "exchange": "NFO"}
        answer = httpx.post(f"http://127.0.0.1:{self.base + 1}/api/v1/quotes", json=body, timeout=PATIENCE_S).json()
        return float(answer["data"]["ltp"])

    def _key(self) -> str:
        from algomirror.demo.connect import key_of

        return key_of(1)

    def open(self, price: float) -> list[int]:
        self.since = self.rows("select coalesce(max(id), 0) from trading_order")[0][0]
        self.units += LOT
        ids: list[int] = self.deed("open", str(SLICES), str(self.units), f"{round(price / 0.05) * 0.05:.2f}")
        return ids

    def tail(self) -> str:
        states = self.mine("client_order_id, state, units, filled_units, to_market from mine order by id")
        logs = "\n".join(f"{p.stem}: {p.read_text(errors='replace')[-900:]}" for p in sorted(self.var.glob("*.log")))
        return f"{states}\n{logs}"


@pytest.fixture(scope="module")
def mill() -> Iterator[Mill]:
    made = Mill()
    try:
        made.start()
        for endpoint in ("placeorder", "cancelorder"):
            made.control("POST", "/latency", account=1, endpoint=endpoint, ms=LATENCY_MS)
        yield made
    finally:
        made.stop()


def at_rest(mill: Mill, *, resting: bool = False) -> bool:
    """All ended; `resting`: what was placed first may still work, what was sent to the market may not."""
    may_rest = {"ACCEPTED"} if resting else set()
    return all(state in ENDED or (attempt == 0 and state in may_rest) for state, attempt in mill.mine("state, attempt from mine"))


def agree(mill: Mill) -> None:
    """The broker has no order that we do not know, none twice, and traded what we count."""
    there = {order["orderid"]: order for order in mill.books()["orders"]}
    ours = mill.rows("select broker_order_id, filled_units, units from trading_order where broker_order_id <> ''")
    assert sorted(there) == sorted(row[0] for row in ours), mill.tail()
    for orderid, filled, units in ours:
        assert int(there[orderid]["filled"]) == filled <= units, mill.tail()
    assert sum(int(p["quantity"]) for p in mill.books()["positions"]) == sum(row[1] for row in ours), mill.tail()
    assert mill.mine("coalesce(sum(filled_units), 0) from mine")[0][0] <= SLICES * mill.units, mill.tail()


@pytest.mark.parametrize(
    "moment",
    [pytest.param("first slice on the wire", marks=soak), "some slices left", pytest.param("all slices left", marks=soak)],
)
def test_a_sliced_entry_whose_sender_is_killed(mill: Mill, moment: str) -> None:
    mill.open(mill.price() * 1.05)
    doubtful = mill.kill_worker_at(moment)
    wait_for(lambda: at_rest(mill), "all slices to end", mill.tail)
    agree(mill)
    # What was claimed and killed before the wire is never sent again by the machine; all else was sent, then or afterwards.
    states = dict(mill.mine("slice_no, state from mine"))
    assert len(states) == SLICES and all(
        state == "FILLED" or (state == "LAPSED" and slice_no in doubtful) for slice_no, state in states.items()
    ), (states, doubtful)


@pytest.mark.parametrize("moment", ["a cancel is asked", pytest.param("some are cancelled", marks=soak)])
def test_a_cancel_of_everything_that_is_killed_on_its_way(mill: Mill, moment: str) -> None:
    mill.open(mill.price() * 0.7)
    wait_for(lambda: at_rest(mill, resting=True), "all slices to rest", mill.tail)
    mill.killed_deed(moment, "cancel-all")
    if moment == "some are cancelled":
        mill.kill("orders")
        mill.work()
    # A cancel that was written down and never left shows as working again; the person presses again.
    wait_for(lambda: mill.deed("cancel-all") == 0 and at_rest(mill), "all slices to be cancelled", mill.tail)
    agree(mill)
    assert {state for (state,) in mill.mine("state from mine")} == {"CANCELED"}


@pytest.mark.parametrize(
    ("deed_at", "worker_at"),
    [
        ("a cancel is asked", "its successor is on the wire"),
        pytest.param("a cancel is asked", "one ended", marks=soak),
        pytest.param("some are cancelled", "its successor stands", marks=soak),
    ],
)
def test_a_way_to_the_market_on_which_everybody_is_killed(mill: Mill, deed_at: str, worker_at: str) -> None:
    ids = mill.open(mill.price() * 0.7)
    wait_for(lambda: at_rest(mill, resting=True), "all slices to rest", mill.tail)
    mill.killed_deed(deed_at, "convert", *map(str, ids))
    doubtful = mill.kill_worker_at(worker_at)
    wished = int(mill.mine("count(*) from mine where to_market")[0][0])
    over = "count(*) = 0 from mine where to_market and follows_price and state <> 'FILLED'"
    wait_for(lambda: bool(mill.mine(over)[0][0]), "the wishes to be carried out", mill.tail)
    wait_for(lambda: at_rest(mill, resting=True), "the senders to be done", mill.tail)
    agree(mill)
    states = mill.mine("slice_no, attempt, state from mine order by slice_no, attempt")
    ended = [slice_no for slice_no, attempt, state in states if attempt == 0 and state == "CANCELED"]
    newest = {slice_no: state for slice_no, _, state in states}
    assert 1 <= len(ended) <= wished, states
    lost = {slice_no for slice_no in ended if newest[slice_no] != "FILLED"}
    assert lost <= doubtful and {newest[slice_no] for slice_no in lost} <= {"LAPSED"}, (states, doubtful)
