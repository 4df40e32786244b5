from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.gateway import listing
from accounts.gateway.reports import Failed, HistoryBar
from accounts.models import User
from algomirror.kernel import clock
from marketdata import backfill, candles, viewing
from marketdata.models import Candle1m, Instrument
from marketdata.reference.load import load
from simulator.clock import SimClock
from simulator.world import World
from tests.accounts.far import behind
from tests.marketdata.cast import Guards, account, ist, owner

NOW = ist(2026, 11, 20, 10, 30)
NIFTY = "NSE_INDEX:NIFTY"
SYMBOL = "NIFTY23NOV2626000CE"
CALL = f"NFO:{SYMBOL}"


@pytest.fixture(autouse=True)
def _friday(db: None, guards: Guards) -> Iterator[None]:
    load(actor="test")
    Instrument.objects.create(exchange="NSE_INDEX", symbol="NIFTY", underlying="NIFTY", kind="INDEX", tick="0.05", listed_on=NOW)
    with clock.use(clock.FrozenClock(NOW)):
        yield


@pytest.fixture
def alice() -> User:
    return owner()


@pytest.fixture
def world() -> World:
    return World(accounts=1, seed=7, profile="sandbox", clock=SimClock(NOW, frozen=True), always_open=False)


def bar(at: datetime, price: str = "100", **more: Any) -> HistoryBar:
    return HistoryBar(at, Decimal(price), Decimal(price), Decimal(price), Decimal(price), 10, 5, **more)


def test_the_servers_history_is_read_as_minutes_of_the_session(alice: User, world: World, guards: Guards) -> None:
    account(alice, rest=5601, key=world.accounts[0].api_key)
    guards.open = {CALL}
    with behind(world):
        written = backfill.run()
        assert set(written) == {CALL} and written[CALL] > 300
        assert backfill.run() == {}, "what was asked a moment ago is not asked again"
    rows = Candle1m.objects.filter(key=CALL)
    assert set(rows.values_list("source", "covered_s")) == {("HISTORY", 60)}
    today = rows.filter(minute__gte=ist(2026, 11, 20)).order_by("minute").values_list("minute", flat=True)
    assert today[0] == ist(2026, 11, 20, 9, 15)
    assert list(today)[-1] == NOW - timedelta(minutes=3), "the last minutes are ours to build"


def test_what_we_watched_well_stays_and_what_we_watched_badly_is_replaced() -> None:
    early = ist(2026, 11, 20, 9, 15)
    for n, covered_s in ((0, 60), (1, 10)):
        Candle1m.objects.create(
            key=NIFTY, minute=early + timedelta(minutes=n), open=1, high=1, low=1, close=1, source="TICKS", covered_s=covered_s
        )
    assert backfill.store(NIFTY, [bar(early + timedelta(minutes=n)) for n in range(3)], NOW) == 2
    found = Candle1m.objects.order_by("minute").values_list("close", "source")
    assert [(str(close), source) for close, source in found] == [
        ("1.00", "TICKS"),
        ("100.00", "HISTORY"),
        ("100.00", "HISTORY"),
    ]


def test_bars_of_a_closed_market_or_of_another_time_zone_are_left_out() -> None:
    shifted = [bar(ist(2026, 11, 20, 3, 45)), bar(ist(2026, 11, 18, 15, 40)), bar(ist(2026, 11, 15, 11)), bar(NOW)]
    assert backfill.store(CALL, shifted, NOW) == 0


def test_a_chart_that_is_looked_at_is_filled_and_an_option_chain_is_not(alice: User) -> None:
    Instrument.objects.create(exchange="NFO", symbol=SYMBOL, underlying="NIFTY", kind="CE", tick="0.05", listed_on=NOW)
    viewing.open_symbols(alice.pk, f"symbols:{NIFTY}")
    viewing.ViewingSession.objects.create(
        key="c", user=alice, topic="chain:NIFTY:2026-11-23:5", symbols=[CALL], expires=NOW + timedelta(minutes=1)
    )
    assert backfill.wanted() == [NIFTY]


def test_nothing_is_asked_where_nothing_is_missing() -> None:
    sessions = candles.windows("NSE_INDEX", 5, NOW)
    assert len(sessions) == 5
    Candle1m.objects.bulk_create(
        Candle1m(key=NIFTY, minute=at, open=1, high=1, low=1, close=1, source="HISTORY", covered_s=60)
        for window in sessions
        for at in (window.opens_at + timedelta(minutes=n) for n in range(375))
        if at < min(window.closes_at, NOW)
    )
    assert backfill.due([NIFTY], NOW) == []
    Candle1m.objects.filter(minute=sessions[0].opens_at).delete()
    assert backfill.due([NIFTY], NOW) == [NIFTY]


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"timestamp": "soon", "open": 1, "high": 1, "low": 1, "close": 1},
        {"timestamp": 1795146300, "open": 0, "high": 1, "low": 0, "close": 1},
        {"timestamp": 1795146300, "open": float("nan"), "high": 1, "low": 1, "close": 1},
        {"timestamp": 1795146300, "open": 2, "high": 1, "low": 1, "close": 1},
        {"timestamp": 1795146300, "open": 2, "high": 3, "low": 2.5, "close": 3},
        {"timestamp": 10**14, "open": 1, "high": 1, "low": 1, "close": 1},
    ],
)
def test_a_candle_with_a_hole_is_left_out_and_one_of_such_only_is_no_answer(row: dict[str, Any]) -> None:
    good = {"timestamp": 1795146300, "open": 144.9, "high": 147.3, "low": 136.25, "close": 140, "oi": 7, "volume": 65}
    found = listing.history({"status": "success", "data": [row, {**good, "timestamp": 1795146360}]})
    assert not isinstance(found, Failed) and len(found) == 1
    assert isinstance(listing.history({"status": "success", "data": [row]}), Failed)


def test_an_empty_history_is_an_answer_and_an_error_is_not() -> None:
    assert listing.history({"status": "success", "data": []}) == []
    for body in ({"status": "error", "message": "no"}, {"status": "success"}, [], None, {"status": "success", "data": {}}):
        assert isinstance(listing.history(body), Failed)


def test_old_minutes_are_deleted_and_recent_ones_stay() -> None:
    for days in (16, 14):
        Candle1m.objects.create(
            key=NIFTY, minute=NOW - timedelta(days=days), open=1, high=1, low=1, close=1, source="TICKS", covered_s=60
        )
    assert candles.forget_old(NOW.date()) == 1
    assert Candle1m.objects.count() == 1
