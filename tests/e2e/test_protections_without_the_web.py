"""Runs are started, the web process is killed and never asked again, prices move: every protection fires by itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from tests.e2e.house import House, a_house
from tests.e2e.trader import Trader
from tests.patience import wait_for

pytestmark = pytest.mark.processes
ACCOUNTS = (1, 2, 3)


# Legs and accounts that a straddle is bought with, on one account.
BOUGHT = {"legs-0-action": "BUY", "legs-1-action": "BUY", "accounts": ["1"]}


class Careful(Trader):
    """A trader who gives a strategy more than a max loss."""

    more: dict[str, Any]

    def _post(self, path: str, form: dict[str, Any], **options: Any) -> httpx.Response:
        return super()._post(path, {**form, **(self.more if path == "/strategies/new" else {})}, **options)

    def run(self, house: House, name: str, **more: Any) -> int:
        self.more = more
        run_id = self.start(self.preview(self.save_straddle(name, max_loss=400_000)))
        wait_for(lambda: house.one("select state from trading_run where id=?", run_id) == "OPEN", f"{name} open", house.tail)
        return run_id


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with a_house() as running:
        yield running


def next_minute(at_least_s: float) -> str:
    soonest = datetime.now(ZoneInfo("Asia/Kolkata")) + timedelta(seconds=at_least_s)
    return f"{soonest.replace(second=0) + timedelta(minutes=1):%H:%M}"


def strike_of(house: House, run_id: int) -> int:
    symbol = house.one("select symbol from trading_order o join trading_book b on b.id = o.book_id where run_id=?", run_id)
    return int(re.fullmatch(r"NIFTY\d\d[A-Z]{3}\d\d(\d+)[CP]E", symbol)[1])


def test_every_protection_fires_with_no_web(house: House) -> None:
    trader = Careful(house)
    runs = {
        "TRAILING_STOP": trader.run(house, "Trails", trail_value="20000", trail_kind="AMOUNT"),
        "PREMIUM_STOP": trader.run(house, "Premium", premium_stop="30%"),
        "LEG_STOP": trader.run(house, "Legs", leg1_stop="40%"),
    }
    above = str(strike_of(house, runs["LEG_STOP"]) + 250)
    one = {"accounts": ["1"]}
    runs |= {
        "EXIT_TIME": trader.run(house, "Clock", exit_time=next_minute(20), **one),
        "MAX_LOSS": trader.run(house, "Loss", max_loss="5000", **one),
        "UNDERLYING_ABOVE": trader.run(house, "Index", underlying_above=above, **one),
        "MAX_PROFIT": trader.run(house, "Profit", max_profit="5000", **BOUGHT),
        "PREMIUM_TARGET": trader.run(house, "Premium up", premium_target="30%", **BOUGHT),
        "LEG_TARGET": trader.run(house, "Leg up", leg1_target="30%", **BOUGHT),
    }
    back = {
        "PROFIT_LOCK": trader.run(house, "Lock", lock_reach="5000", lock_keep="4000", **BOUGHT),
        "LEG_TRAILING": trader.run(house, "Leg trails", leg1_trail="20%", **BOUGHT),
        "COST_STOP": trader.run(house, "Cost", leg1_stop="40%", stop_to_cost="on", **one),
    }
    house.kill("web")

    house.shock("NIFTY", 3)
    wait_for(lambda: set(runs.items()) <= fired(house), "every protection to fire", house.tail)
    # What goes with the price until it turns, and what stands at cost since the other leg stopped.
    wait_for(lambda: ("LEG_STOP", back["COST_STOP"]) in fired(house), "the leg before the stop at cost", house.tail)
    house.shock("NIFTY", -3.5)
    wait_for(lambda: set(back.items()) <= fired(house), "every protection on the way back", house.tail)

    halves = {runs["LEG_STOP"], runs["LEG_TARGET"], back["LEG_TRAILING"]}
    for run_id in (set(runs.values()) | set(back.values())) - halves:
        wait_for(lambda run_id=run_id: state(house, run_id) == "CLOSED", "the run to close", house.tail)  # type: ignore[misc]
    # A leg's line closed one leg in every account and left the other alone.
    assert {state(house, run_id) for run_id in halves} == {"OPEN"}
    wait_for(lambda: all(list(house.broker_net(n).values()) == [-65] for n in ACCOUNTS[1:]), "one leg left", house.tail)
    counted = house.sql("select kind, run_id, count(*) from risk_riskevent where guard_id is not null group by 1, 2, book_id")
    assert all(count == 1 for *_, count in counted), "each decision once"


def fired(house: House) -> set[tuple[str, int]]:
    return set(house.sql("select kind, run_id from risk_riskevent where action='EXIT'"))


def state(house: House, run_id: int) -> str:
    return str(house.one("select state from trading_run where id=?", run_id))
