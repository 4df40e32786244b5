"""kill -9 of each process at each step from start to flat: no order twice, no exit lost."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.e2e.house import House, a_house
from tests.e2e.trader import NotStartedError, Trader
from tests.patience import wait_for

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

PROCESSES = ("orders", "feed", "risk", "redis", "web", "metronome", "signals")
# Seconds after the step began; the order path takes about a second here, so these fall before, within and after it.
STEPS = ("before start", "start +0.0", "start +0.3", "start +0.8", "open", "shock +0.0", "shock +0.15", "shock +0.5")
QUICK = {
    "orders": ("start +0.0", "start +0.3", "start +0.8", "shock +0.0", "shock +0.15", "shock +0.5"),
    "feed": ("shock +0.0",),
    "risk": ("shock +0.0",),
    "redis": ("start +0.3", "shock +0.15"),
    "web": ("start +0.0",),
    "metronome": ("start +0.3",),
}
# A killed cluster, a lapsed order and a hedge that waits may come one after the other.
LONGEST_S = 240.0
EVERYTHING = os.environ.get("KILL_MATRIX") == "all"
CASES = [(p, s) for p in PROCESSES for s in (STEPS if EVERYTHING else QUICK.get(p, ()))]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with a_house() as running:
        yield running


@pytest.fixture(scope="module")
def trader(house: House) -> Trader:
    return Trader(house)


@pytest.fixture(scope="module")
def strategy(trader: Trader) -> int:
    return trader.save_straddle("Iron fly", max_loss=1500, hedged=True)


class Cycle:
    """One life of the strategy, with a kill at one step of it."""

    def __init__(self, house: House, trader: Trader, strategy: int, process: str, step: str) -> None:
        self.house, self.trader, self.strategy = house, trader, strategy
        self.process, self.step = process, step
        self.before = {n: house.broker_orders(n) for n in (1, 2, 3)}

    def kill_after(self, what: str) -> None:
        """Set the kill going if it belongs to this step: "start +0.3" is 0.3 s after the start was sent."""
        named, plus, delay = self.step.partition(" +")
        if named == what and plus:
            threading.Timer(float(delay), self.house.kill, [self.process]).start()

    def live(self) -> int:
        run = self.started()
        state = "select state from trading_run where id=?"
        began = lambda: self.house.one(state, run) in ("OPEN", "CLOSED")  # noqa: E731
        wait_for(began, f"{self.name} to open", self.house.tail, seconds=LONGEST_S)
        if self.house.one(state, run) == "CLOSED":
            return run
        if self.step == "open":
            self.house.kill(self.process)
            time.sleep(1)
        self.kill_after("shock")
        self.shock()
        wait_for(lambda: self.house.one(state, run) == "CLOSED", f"{self.name} to close", self.house.tail, seconds=LONGEST_S)
        return run

    def started(self) -> int:
        """Previewed and started. A plan is refused when its prices are from before the last shock, or when it grew too old
        while the web was dead; then it is made anew. Had the first one become a run, the second would be refused for ever."""
        for attempt in range(10):
            plan = self.trader.preview(self.strategy)
            if not attempt and self.step == "before start":
                self.house.kill(self.process)
            self.kill_after("start")
            try:
                return self.trader.start(plan)
            except NotStartedError as refused:
                why = str(refused)
                time.sleep(3)
        raise AssertionError(f"never started: {why}")

    def shock(self) -> None:
        """Away from the strike, and back towards the listed middle, so that many cycles stay on the board."""
        spot = self.house.control("GET", "/state")["indices"]["NIFTY"]
        self.house.shock("NIFTY", 2.5 if float(spot) < 26_000 else -2.5)

    def was_cut_short(self, run: int, account: int) -> bool:
        """The kill fell into the entry and cost this account a leg, and the record says why: an order that died with its
        sender is never sent again, and an entry whose hedge does not come in time is undone."""
        lapsed = "select count(*) from trading_order o join trading_book b on b.id=o.book_id"
        lapsed += " where b.run_id=? and b.account_id=? and o.state in (?,?)"
        undone = "select count(*) from trading_exitgoal g join trading_book b on b.id=g.book_id"
        undone += " where b.run_id=? and b.account_id=? and g.reason=?"
        why = self.house.one(lapsed, run, account, "LAPSED", "DENIED") or self.house.one(undone, run, account, "ENTRY_ABORTED")
        return bool(why) and self.step.startswith("start")

    @property
    def name(self) -> str:
        return f"the run with {self.process} killed at '{self.step}'"

    def traded(self, account: int) -> Counter[tuple[str, str]]:
        return self.house.broker_orders(account) - self.before[account]


@pytest.mark.parametrize(("process", "step"), CASES)
def test_nothing_is_sent_twice_and_no_exit_is_lost(house: House, trader: Trader, strategy: int, process: str, step: str) -> None:
    cycle = Cycle(house, trader, strategy, process, step)
    run = cycle.live()

    for account in (1, 2, 3):
        assert house.broker_net(account) == {}, f"account {account} is not flat"
        traded = cycle.traded(account)
        assert set(traded.values()) <= {65}, f"account {account}: nothing twice: {traded}"
        sides = {action: {symbol for symbol, a in traded if a == action} for action in ("BUY", "SELL")}
        assert sides["BUY"] == sides["SELL"], f"account {account}: all that went in came out: {traded}"
        assert len(traded) == 8 or cycle.was_cut_short(run, account), f"account {account}: {traded}"
    events = house.sql("select kind from risk_riskevent where run_id=? and action='EXIT'", run)
    assert events == [("MAX_LOSS",)] or (not events and all(cycle.was_cut_short(run, account) for account in (1, 2, 3)))
    goals = "select count(*) from trading_exitgoal g join trading_book b on b.id=g.book_id where b.run_id=?"
    assert house.one(goals, run) <= 3
    in_doubt = (
        "select count(*) from trading_order o join trading_book b on b.id=o.book_id where b.run_id=? and o.state in (?,?,?)"
    )
    assert house.one(in_doubt, run, "SUBMITTED", "UNKNOWN", "INITIALIZED") == 0
    owned = "select p.units from trading_position p join trading_book b on b.id=p.book_id where b.run_id=?"
    assert {units for (units,) in house.sql(owned, run)} <= {0}
