"""The drill: last copy, empty place, restore, and the live run is guarded and leaves as if nothing had happened."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.house import ROOT, START_S, House
from tests.e2e.trader import Trader
from tests.ops_multi.twins import Twins
from tests.patience import wait_for

pytestmark = [pytest.mark.processes, pytest.mark.soak, pytest.mark.timeout(400)]
RTO_S = 15 * 60.0


@pytest.fixture
def house() -> Iterator[House]:
    made = House()
    try:
        made.start()
        yield made
    finally:
        made.stop()
        made.remove()


def manage(house: House, *arguments: str) -> str:
    env = {**house.env, "ALGOMIRROR_ENV_FILE": str(house.var / "demo.env")}
    line = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(line, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def lose_the_machine(house: House) -> None:
    """The simulator keeps its books, as brokers do; everything of ours goes at once, the database with it."""
    time.sleep(2)  # the simulator writes its books once a second
    assert house._process is not None
    os.kill(house._process.pid, signal.SIGKILL)
    house._process.wait(10)
    time.sleep(1)
    for file in house.var.glob("demo.sqlite3*"):
        file.unlink()


def test_a_copy_is_restored_and_its_run_is_guarded_again(house: House, tmp_path: Path) -> None:
    trader = Trader(house)
    run = trader.start(trader.preview(trader.save_straddle("Iron fly", max_loss=1500, hedged=True)))
    state = "select state from trading_run where id=?"
    wait_for(lambda: house.one(state, run) == "OPEN", "the run to open", house.tail)
    held = {n: house.broker_net(n) for n in (1, 2, 3)}
    assert all(len(net) == 4 for net in held.values())
    copy = manage(house, "backup", "--to", str(tmp_path)).split(" (")[0]

    lose_the_machine(house)
    began = time.monotonic()
    said = manage(house, "restore", copy)
    assert "Entries are off" in said
    house.lines.clear()
    house.start()
    assert {n: house.broker_net(n) for n in (1, 2, 3)} == held
    armed = "select count(*) from risk_guardstate where run_id=? and state='ARMED'"
    wait_for(lambda: house.one(armed, run), "the guards to stand again", house.tail)
    assert time.monotonic() - began < RTO_S
    assert house.one("select state from risk_tradingstate where account_id is null") == "REDUCING"

    spot = house.control("GET", "/state")["indices"]["NIFTY"]
    house.shock("NIFTY", 2.5 if float(spot) < 26_000 else -2.5)
    wait_for(lambda: house.one(state, run) == "CLOSED", "the run to leave", house.tail)
    assert {n: house.broker_net(n) for n in (1, 2, 3)} == {1: {}, 2: {}, 3: {}}
    assert all(set(house.broker_orders(n).values()) == {65} for n in (1, 2, 3))


@pytest.fixture
def twins() -> Iterator[Twins]:
    made = Twins()
    try:
        made.prepare()
        made.start_all()
        yield made
    finally:
        made.stop()
        shutil.rmtree(made.var, ignore_errors=True)


def test_the_same_on_postgresql_with_two_of_everything(twins: Twins, tmp_path: Path) -> None:
    wait_for(lambda: twins.is_ready("web-b"), "web-b to be ready", twins.tail, seconds=START_S)
    trader = Trader(twins)  # type: ignore[arg-type]
    run = trader.start(trader.preview(trader.save_straddle("Iron fly", max_loss=1500, hedged=True)))
    state = "select state from trading_run where id=?"
    wait_for(lambda: twins.one(state, run) == "OPEN", "the run to open", twins.tail)
    held = {n: twins.net(n) for n in (1, 2, 3)}
    copy = twins.manage("backup", "--to", str(tmp_path)).split(" (")[0]

    for name in [one for one in twins.processes if one != "simulator"]:
        twins.kill(name)
    twins.move_to("this_morning")
    began = time.monotonic()
    assert "Entries are off" in twins.manage("restore", copy)
    twins.start_all()
    wait_for(lambda: twins.is_ready("web-b"), "web-b to be ready again", twins.tail, seconds=START_S)
    armed = "select count(*) from risk_guardstate where run_id=? and state='ARMED'"
    wait_for(lambda: twins.one(armed, run), "the guards to stand again", twins.tail)
    assert time.monotonic() - began < RTO_S
    reads = "select count(*) from accounts_brokerread where kind='POSITIONS' and error='' and finished_at is not null"
    wait_for(lambda: twins.one(reads) == 3, "every account's positions to be read anew", twins.tail)
    assert twins.one("select count(*) from trading_book where state='FROZEN'") == 0
    assert {n: twins.net(n) for n in (1, 2, 3)} == held

    spot = float(twins.control("GET", "/state")["indices"]["NIFTY"])
    twins.control("POST", "/shock", underlying="NIFTY", percent=2.5 if spot < 26_000 else -2.5)
    wait_for(lambda: twins.one(state, run) == "CLOSED", "the run to leave", twins.tail)
    for account in (1, 2, 3):
        assert twins.net(account) == {}
        assert set(twins.traded(account).values()) == {65}
    assert "Intact" in twins.manage("verify_journal")
