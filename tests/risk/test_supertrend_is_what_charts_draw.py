from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.domain.supertrend import Direction, Supertrend, batch
from risk.signals import kernel

# Bar: open, high, low, close; then ATR, upper, lower, direction, as published in the product's formula vectors.
VECTOR = [
    (118.00, 119.50, 116.50, 117.00, None, None, None, None),
    (117.00, 118.00, 114.00, 114.50, None, None, None, None),
    (114.50, 116.00, 113.50, 115.50, 3.1667, 121.0833, 108.4167, "DOWN"),
    (115.50, 115.50, 111.00, 111.50, 3.6111, 120.4722, 108.4167, "DOWN"),
    (111.50, 113.00, 110.50, 112.50, 3.2407, 118.2315, 108.4167, "DOWN"),
    (112.50, 119.00, 112.00, 118.50, 4.4938, 118.2315, 108.4167, "UP"),
    (118.50, 127.00, 118.00, 126.00, 5.9959, 134.4918, 110.5082, "UP"),
    (126.00, 128.50, 124.50, 127.50, 5.3306, 134.4918, 115.8388, "UP"),
    (127.50, 128.00, 123.00, 123.50, 5.2204, 134.4918, 115.8388, "UP"),
    (123.50, 124.00, 114.00, 114.50, 6.8136, 132.6272, 115.8388, "DOWN"),
]
FINITE = st.floats(-500, 500, allow_nan=False, width=64)
BARS = st.lists(
    st.tuples(FINITE, FINITE, FINITE).map(lambda t: (max(t), min(t), sorted(t)[1])),
    max_size=80,
)
BOTH = pytest.mark.parametrize("compute", [batch, kernel.batch], ids=["step by step", "compiled"])


@BOTH
def test_the_published_vector(compute) -> None:
    found = compute([(h, lo, c) for _, h, lo, c, *_ in VECTOR], 3, 2.0)
    for trend, (*_, atr, upper, lower, way) in zip(found, VECTOR, strict=True):
        if atr is None:
            assert trend is None
            continue
        assert (round(trend.atr, 4), round(trend.upper, 4), round(trend.lower, 4)) == (atr, upper, lower)
        assert trend.direction == way and trend.line == (trend.lower if way == "UP" else trend.upper)


@BOTH
def test_the_vector_in_full_precision(compute) -> None:
    """The same bars by exact fractions: nothing is lost to 1e-9."""
    from decimal import Decimal

    from marketdata.domain.supertrend import supertrend as exact

    bars = [(h, lo, c) for _, h, lo, c, *_ in VECTOR]
    chart = exact([tuple(Decimal(str(x)) for x in bar) for bar in bars], 3, Decimal(2))
    for ours, theirs in zip(compute(bars, 3, 2.0), chart, strict=True):
        if ours is None or theirs is None:
            assert ours is theirs
            continue
        assert ours.direction.value == theirs.direction.value
        for name in ("atr", "upper", "lower", "line"):
            assert abs(getattr(ours, name) - float(getattr(theirs, name))) < 1e-9


@given(bars=BARS, period=st.integers(1, 20), halves=st.integers(2, 20))
@settings(max_examples=300)
def test_bar_by_bar_equals_the_whole_pass_exactly(bars, period, halves) -> None:
    assert kernel.batch(bars, period, halves / 2) == batch(bars, period, halves / 2)


@given(bars=BARS, period=st.integers(1, 20))
@settings(max_examples=100)
def test_a_bar_more_never_changes_what_was_said_before(bars, period) -> None:
    whole = batch(bars, period, 3.0)
    for n in (len(bars) // 2, max(len(bars) - 1, 0)):
        assert batch(bars[:n], period, 3.0) == whole[:n]


@given(bars=BARS, period=st.integers(1, 20))
@settings(max_examples=100)
def test_the_line_follows_its_direction_and_turns_only_through_a_band(bars, period) -> None:
    found = batch(bars, period, 2.0)
    assert all(trend is None for trend in found[: period - 1])
    for at, (before, trend) in enumerate(pairwise(found), start=1):
        if trend is None:
            continue
        if before is None:
            assert trend.direction is Direction.DOWN
            continue
        close = bars[at][2]
        if before.direction is Direction.DOWN:
            assert (trend.direction is Direction.UP) == (close > trend.upper)
            assert trend.upper <= before.upper or bars[at - 1][2] > before.upper
        else:
            assert (trend.direction is Direction.DOWN) == (close < trend.lower)


def walk(n: int, seed: int) -> list[tuple[float, float, float]]:
    made = np.random.default_rng(seed)
    close = 100 + np.cumsum(made.normal(0, 1, n))
    return [(float(c + made.random()), float(c - made.random()), float(c)) for c in close]


@pytest.mark.parametrize("seed", range(5))
def test_the_sdk_says_the_same_to_the_last_bit(seed: int) -> None:
    """openalgo.ta.supertrend: direction 1 is down, -1 up; equal while its bands do not meet (an ATR of 0)."""
    from openalgo import ta

    bars = walk(3000, seed)
    high, low, close = (np.array(column) for column in zip(*bars, strict=True))
    line, way = kernel.lines(high, low, close, 10, 3.0)
    theirs, direction = ta.supertrend(high, low, close, 10, 3.0)
    assert np.array_equal(line, theirs, equal_nan=True)
    assert np.array_equal(way[9:], -direction[9:])


def shaped(kind: str, n: int) -> list[tuple[float, float, float]]:
    if kind == "walk":
        return walk(n, 11)
    if kind == "flat":
        return [(100.0, 100.0, 100.0)] * n
    if kind == "climb":
        return [(100.5 + i, 99.5 + i, 100.0 + i) for i in range(n)]
    if kind == "narrow":  # never leaves its first bands: what was true at the start is true at the end
        return [(100.0 + i % 3, 99.0 - i % 2, 99.5) for i in range(n)]
    return [(1e15, 1.0, 50.0), *walk(n - 1, 12)]  # a first bar that no stretch begun later knows of


@pytest.mark.parametrize("kind", ["walk", "flat", "climb", "narrow", "shock"])
@pytest.mark.parametrize("period", [1, 7, 20])
def test_a_long_series_drawn_in_stretches_is_the_same_to_the_last_bit(kind: str, period: int) -> None:
    """Four stretches are computed side by side from guesses; where a guess was wrong they are drawn again."""
    n = 4 * (2 * kernel.WARM_PERIODS * period + 5) + period + 3
    bars = shaped(kind, n)
    high, low, close = (np.array(column) for column in zip(*bars, strict=True))
    line, way = kernel.lines(high, low, close, period, 3.0)
    for at, trend in enumerate(batch(bars, period, 3.0)):
        if trend is None:
            assert np.isnan(line[at]) and way[at] == 0
        else:
            assert line[at] == trend.line and way[at] == (1 if trend.direction is Direction.UP else -1), at


def test_talib_begins_a_bar_later_and_converges() -> None:
    """TA-Lib has no true range for the first bar: its seed is the mean of bars 2 to n+1, so ours and its differ by a
    Wilder tail that shrinks by (n-1)/n a bar. Seeded alike, they are the same."""
    bars = walk(600, 1)
    high, low, close = (np.array(column) for column in zip(*bars, strict=True))
    ours = [trend.atr if trend else np.nan for trend in batch(bars, 10, 3.0)]
    theirs = talib.ATR(high, low, close, timeperiod=10)
    first = int(np.argmax(~np.isnan(theirs)))
    assert first == 10 and int(np.argmax(~np.isnan(ours))) == 9
    gap = [abs(a - b) for a, b in zip(ours[first:], theirs[first:], strict=True)]
    assert gap[0] > 0 and gap[-1] < 1e-9
    assert all(later <= earlier * 0.9 + 1e-12 for earlier, later in pairwise(gap))


def test_a_period_below_one_is_a_mistake() -> None:
    with pytest.raises(ValueError):
        Supertrend(0, 3.0)
