"""Two webs, feeds, metronomes and clusters of each kind on one PostgreSQL and Redis; one of each is killed on the way."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator

import pytest

from tests.e2e.house import START_S
from tests.e2e.trader import Trader
from tests.ops_multi.twins import CLUSTERS, Twins, moved_within
from tests.patience import wait_for

pytestmark = [pytest.mark.processes, pytest.mark.soak, pytest.mark.timeout(600)]
LEASE_MOVES_S = 10.0


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


def test_one_of_each_is_killed_and_nothing_is_lost(twins: Twins) -> None:
    for web in ("web-a", "web-b"):
        wait_for(lambda web=web: twins.is_ready(web), f"{web} to be ready", twins.tail, seconds=START_S)  # type: ignore[misc]
    trader = Trader(twins)  # type: ignore[arg-type]
    strategy = trader.save_straddle("Iron fly", max_loss=1500, hedged=True)
    plan = trader.preview(strategy)
    twins.kill("web-a")
    twins.kill("orders-a")
    run = trader.start(plan)
    state = "select state from trading_run where id=?"
    wait_for(lambda: twins.one(state, run) == "OPEN", "the run to open", twins.tail)

    for lease in ("feed", "metronome"):
        held_by = twins.holder(lease)
        assert held_by.startswith(lease), twins.tail()
        twins.kill(held_by)
        assert moved_within(lambda lease=lease: twins.holder(lease), held_by, 30) < LEASE_MOVES_S
    for cluster in CLUSTERS:
        if f"{cluster}-a" in twins.processes:
            twins.kill(f"{cluster}-a")

    spot = float(twins.control("GET", "/state")["indices"]["NIFTY"])
    twins.control("POST", "/shock", underlying="NIFTY", percent=2.5 if spot < 26_000 else -2.5)
    wait_for(lambda: twins.one(state, run) == "CLOSED", "the run to leave", twins.tail)
    for account in (1, 2, 3):
        assert twins.net(account) == {}
        traded = twins.traded(account)
        assert len(traded) == 8 and set(traded.values()) == {65}, traded
    assert twins.one("select count(*) from trading_order where state in ('SUBMITTED', 'UNKNOWN', 'INITIALIZED')") == 0
    assert twins.one("select count(*) from risk_riskevent where run_id=? and action='EXIT'", run) == 1
    wait_for(lambda: twins.is_ready("web-b"), "the survivors to be ready", twins.tail, seconds=START_S)


def test_one_machine_is_cut_off_and_comes_back_and_nothing_is_lost_or_done_twice(twins: Twins) -> None:
    """Cut off and not dead: its processes still reach the brokers, and wake up later believing what they last knew."""
    for web in ("web-a", "web-b"):
        wait_for(lambda web=web: twins.is_ready(web), f"{web} to be ready", twins.tail, seconds=START_S)  # type: ignore[misc]
    trader = Trader(twins)  # type: ignore[arg-type]
    plan = trader.preview(trader.save_straddle("Iron fly", max_loss=1500, hedged=True))
    for lease in ("feed", "metronome"):
        if twins.holder(lease) == f"{lease}-b":  # so that every duty is on the machine that will be cut off
            twins.kill(f"{lease}-b")
            moved_within(lambda lease=lease: twins.holder(lease), f"{lease}-b", 30)
            twins.start(f"{lease}-b", "manage.py", f"run_{lease}")
            wait_for(lambda lease=lease: twins.holder(lease) == f"{lease}-a", f"{lease}-a to hold", twins.tail)  # type: ignore[misc]
    time.sleep(8)  # what was started anew stands by
    run = trader.start(plan)
    twins.cut()
    moves = {lease: moved_within(lambda lease=lease: twins.holder(lease), f"{lease}-a", 30) for lease in ("feed", "metronome")}
    assert max(moves.values()) < LEASE_MOVES_S, moves
    state = "select state from trading_run where id=?"
    wait_for(lambda: twins.one(state, run) == "OPEN", "the run to open without machine a", twins.tail)
    wait_for(lambda: twins.is_ready("web-b"), "machine b to be ready", twins.tail, seconds=START_S)

    twins.mend()
    wait_for(lambda: twins.is_ready("web-a"), "machine a to be ready again", twins.tail, seconds=START_S)
    assert {lease: twins.holder(lease) for lease in moves} == {lease: f"{lease}-b" for lease in moves}
    spot = float(twins.control("GET", "/state")["indices"]["NIFTY"])
    twins.control("POST", "/shock", underlying="NIFTY", percent=2.5 if spot < 26_000 else -2.5)
    wait_for(lambda: twins.one(state, run) == "CLOSED", "the run to leave", twins.tail)
    for account in (1, 2, 3):
        assert twins.net(account) == {}
        traded = twins.traded(account)
        assert len(traded) == 8 and set(traded.values()) == {65}, traded
    assert twins.one("select count(*) from trading_order where state in ('SUBMITTED', 'UNKNOWN', 'INITIALIZED')") == 0
    assert twins.one("select count(*) from risk_riskevent where run_id=? and action='EXIT'", run) == 1
