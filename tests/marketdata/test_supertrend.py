from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.domain.supertrend import Direction, supertrend

D = Decimal
BARS = [
    ("119.50", "116.50", "117.00"),
    ("118.00", "114.00", "114.50"),
    ("116.00", "113.50", "115.50"),
    ("115.50", "111.00", "111.50"),
    ("113.00", "110.50", "112.50"),
    ("119.00", "112.00", "118.50"),
    ("127.00", "118.00", "126.00"),
    ("128.50", "124.50", "127.50"),
    ("128.00", "123.00", "123.50"),
    ("124.00", "114.00", "114.50"),
]
EXPECTED = [
    ("3.1667", "121.0833", "108.4167", "DOWN"),
    ("3.6111", "120.4722", "108.4167", "DOWN"),
    ("3.2407", "118.2315", "108.4167", "DOWN"),
    ("4.4938", "118.2315", "108.4167", "UP"),
    ("5.9959", "134.4918", "110.5082", "UP"),
    ("5.3306", "134.4918", "115.8388", "UP"),
    ("5.2204", "134.4918", "115.8388", "UP"),
    ("6.8136", "132.6272", "115.8388", "DOWN"),
]


def bars() -> list[tuple[Decimal, Decimal, Decimal]]:
    return [(D(high), D(low), D(close)) for high, low, close in BARS]


def test_the_known_ten_bars_give_the_known_bands_and_turns() -> None:
    found = supertrend(bars(), 3, D(2))
    assert found[:2] == [None, None]
    for trend, (atr, upper, lower, direction) in zip(found[2:], EXPECTED, strict=True):
        assert trend is not None
        assert [round(value, 4) for value in (trend.atr, trend.upper, trend.lower)] == [D(atr), D(upper), D(lower)]
        assert trend.direction == direction
        assert trend.line == (trend.lower if direction == "UP" else trend.upper)


@pytest.mark.parametrize("count", [0, 1, 9])
def test_there_is_no_line_before_the_period_is_full(count: int) -> None:
    assert supertrend(bars()[:count], 10, D(3)) == [None] * count


prices = st.integers(-500, 500)


@given(st.lists(st.tuples(prices, st.integers(0, 50), st.integers(0, 50)), max_size=60), st.integers(1, 10))
def test_a_prefix_gives_the_same_beginning_and_the_close_agrees_with_the_direction(
    drawn: list[tuple[int, int, int]], period: int
) -> None:
    series = [(D(close + up), D(close - down), D(close)) for close, up, down in drawn]
    whole = supertrend(series, period, D(2))
    assert supertrend(series[: len(series) // 2], period, D(2)) == whole[: len(series) // 2]
    for before, after, (_, _, close) in zip(whole, whole[1:], series[1:], strict=False):
        if before is None or after is None or before.direction is after.direction:
            continue
        assert close > after.upper if after.direction is Direction.UP else close < after.lower
