from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.domain.candles import Minute, aggregate, combine, slots
from marketdata.domain.sessions import Window
from tests.marketdata.cast import ist

D = Decimal
OPEN = ist(2026, 11, 20, 9, 15)
DAY = Window(OPEN, ist(2026, 11, 20, 15, 40))
AFTER = ist(2026, 11, 20, 16)


def minute(
    at: datetime, price: str, *, high: str = "", low: str = "", close: str = "", source: str = "TICKS", s: int = 60
) -> Minute:
    return Minute(at, D(price), D(high or price), D(low or price), D(close or price), 10, 5, source, s)


def after(n: int) -> datetime:
    return OPEN + timedelta(minutes=n)


def straight(numbers: Iterable[int], price: int = 100) -> list[Minute]:
    return [minute(after(n), str(price + n)) for n in numbers]


@pytest.mark.parametrize(("timeframe", "count", "last"), [(1, 385, 1), (3, 129, 1), (5, 77, 5), (10, 39, 5), (15, 26, 10)])
def test_the_last_candle_of_a_session_ends_at_its_close(timeframe: int, count: int, last: int) -> None:
    found = list(slots([DAY], timeframe))
    assert len(found) == count
    assert found[0][0] == OPEN and found[-1][1] == DAY.closes_at
    assert found[-1][1] - found[-1][0] == timedelta(minutes=last)


def test_five_minutes_divide_the_old_hours_and_the_new_and_a_muhurat_session() -> None:
    for closes in (ist(2026, 7, 31, 15, 30), ist(2026, 8, 3, 15, 40)):
        opens = closes.replace(hour=9, minute=15)
        assert {end - start for start, end in slots([Window(opens, closes)], 5)} == {timedelta(minutes=5)}
    muhurat = Window(ist(2026, 11, 8, 18), ist(2026, 11, 8, 19, 15))
    assert [start for start, _ in slots([muhurat], 15)] == [muhurat.opens_at + timedelta(minutes=15 * n) for n in range(5)]


def test_a_candle_takes_the_first_open_the_extremes_and_the_last_close() -> None:
    rows = [minute(OPEN, "100", high="103", low="99", close="102"), minute(after(1), "102", high="107", low="101", close="106")]
    candle = aggregate(rows, [DAY], 5, AFTER)[0]
    assert (candle.open, candle.high, candle.low, candle.close, candle.volume) == (100, 107, 99, 106, 20)
    assert candle.opens_at == OPEN and candle.closes_at == after(5)


def test_a_candle_says_whether_it_is_closed_and_how_much_of_it_was_watched() -> None:
    rows = [minute(OPEN, "100", s=60), minute(after(1), "100", s=30)]
    closed = aggregate(rows, [DAY], 5, AFTER)[0]
    assert closed.is_closed and closed.covered_percent == 30
    forming = aggregate(rows, [DAY], 5, after(2))[0]
    assert not forming.is_closed and forming.covered_percent == 75
    assert not aggregate(rows, [DAY], 5, after(5) - timedelta(microseconds=1))[0].is_closed
    assert aggregate(rows, [DAY], 5, after(5))[0].is_closed


def test_a_candle_names_its_source() -> None:
    ticks, history = minute(OPEN, "1"), minute(after(1), "1", source="HISTORY")
    assert [aggregate(rows, [DAY], 5, AFTER)[0].source for rows in ([ticks], [history], [ticks, history])] == [
        "TICKS",
        "HISTORY",
        "MIXED",
    ]


def test_an_unseen_slot_is_no_candle_and_minutes_outside_the_session_do_not_count() -> None:
    rows = [*straight(range(5)), *straight(range(10, 15)), minute(OPEN - timedelta(minutes=1), "1"), minute(DAY.closes_at, "1")]
    assert [candle.opens_at for candle in aggregate(rows, [DAY], 5, AFTER)] == [OPEN, after(10)]


@given(st.sets(st.integers(0, 384), min_size=1), st.sampled_from([1, 3, 5, 10, 15]))
def test_no_price_is_lost_or_made_up_at_any_timeframe(numbers: set[int], timeframe: int) -> None:
    rows = straight(sorted(numbers))
    found = aggregate(rows, [DAY], timeframe, AFTER)
    assert min(c.low for c in found) == min(r.low for r in rows)
    assert max(c.high for c in found) == max(r.high for r in rows)
    assert sum(c.volume or 0 for c in found) == 10 * len(rows)
    assert all(c.low <= min(c.open, c.close) and max(c.open, c.close) <= c.high for c in found)
    assert sorted(c.opens_at for c in found) == [c.opens_at for c in found]


CALL, PUT = "NFO:C", "NFO:P"
BOTH = {CALL: D(1), PUT: D(-1)}


def test_a_premium_is_the_weighted_sum_and_its_extremes_are_those_of_the_sums() -> None:
    legs = {
        CALL: [minute(OPEN, "10", high="99", low="1", close="12"), minute(after(1), "12", close="11")],
        PUT: [minute(OPEN, "4", high="50", low="2", close="5"), minute(after(1), "5", close="9")],
    }
    candle = combine(legs, BOTH, [DAY], 5, after(2))[0]
    assert (candle.open, candle.high, candle.low, candle.close) == (6, 7, 2, 2), "the legs' own highs are not added"
    assert candle.carried == 0 and candle.covered_percent == 100


def test_a_premium_may_cross_zero_and_stays_signed() -> None:
    legs = {CALL: [minute(OPEN, "4", close="9")], PUT: [minute(OPEN, "6", close="6")]}
    candle = combine(legs, BOTH, [DAY], 5, after(1))[0]
    assert (candle.open, candle.close) == (-2, 3)


@pytest.mark.parametrize(("missing", "carried"), [(1, 1), (3, 3), (4, None)])
def test_a_leg_carries_its_close_for_three_minutes_and_then_there_is_no_candle(missing: int, carried: int | None) -> None:
    gone = range(1, 1 + missing)
    legs = {CALL: straight(range(5)), PUT: straight(n for n in range(5) if n not in gone)}
    found = combine(legs, BOTH, [DAY], 5, after(5))
    assert [candle.carried for candle in found] == ([] if carried is None else [carried])


def test_a_leg_without_a_first_price_makes_no_candle_and_none_is_carried_overnight() -> None:
    assert combine({CALL: straight(range(5))}, BOTH, [DAY], 5, after(5)) == []
    yesterday = Window(OPEN - timedelta(days=1), DAY.closes_at - timedelta(days=1))
    last = [minute(yesterday.closes_at - timedelta(minutes=1), "7")]
    legs = {CALL: straight(range(5)), PUT: [*last, *straight(range(1, 5))]}
    assert [c.opens_at for c in combine(legs, BOTH, [yesterday, DAY], 5, after(5)) if c.opens_at >= OPEN] == []


def test_an_unfinished_minute_is_not_part_of_a_premium() -> None:
    legs = {CALL: straight(range(3)), PUT: straight(range(3))}
    assert combine(legs, BOTH, [DAY], 5, after(2) + timedelta(seconds=59))[0].is_closed is False
    assert combine(legs, BOTH, [DAY], 5, OPEN + timedelta(seconds=59)) == []
