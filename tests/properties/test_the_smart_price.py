"""The smart price of product.md, to the tick."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algomirror.kernel.money import on_tick
from marketdata.domain.quotes import Quote, Source
from tests.properties.profile import examples
from trading.domain.prices import band
from trading.domain.smart import smart_price

TICK = Decimal("0.05")
AT = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)


def quote(bid: str | None, ask: str | None, last: str) -> Quote:
    side = {"bid": None if bid is None else Decimal(bid), "ask": None if ask is None else Decimal(ask)}
    return Quote("NFO:X", Decimal(last), AT, Source.STREAM, **side)


@pytest.mark.parametrize(
    ("bid", "ask", "last", "buy", "sell"),
    [
        ("99.95", "100.05", "100", "100.20", "99.85"),  # 100.15005 and 99.85005, on tick in the filling direction
        ("99.00", "101.00", "100", "101.15", "98.90"),  # spread exactly 2 %: not wide
        ("98.95", "101.00", "100", "100.00", "99.95"),  # wider: the middle, 99.975
        ("1.00", "1.05", "1.00", "1.05", "1.00"),  # 5 %: the middle, 1.025
        ("0.05", "0.10", "0.05", "0.10", "0.05"),
    ],
)
def test_vectors(bid: str, ask: str, last: str, buy: str, sell: str) -> None:
    found = quote(bid, ask, last)
    assert (smart_price(found, "BUY", TICK), smart_price(found, "SELL", TICK)) == (Decimal(buy), Decimal(sell))


@pytest.mark.parametrize(("bid", "ask"), [(None, "100"), ("100", None), ("0", "100"), ("101", "100")])
def test_one_side_or_a_crossed_book_has_no_smart_price(bid: str | None, ask: str | None) -> None:
    assert smart_price(quote(bid, ask, "100"), "BUY", TICK) is None


@examples(200)
@given(st.integers(1, 40_000), st.integers(0, 2_000), st.sampled_from(["BUY", "SELL"]))
def test_it_is_on_tick_in_range_and_never_gives_away_more_than_the_touch_and_a_tenth_of_a_percent(
    bid_ticks: int, spread_ticks: int, action: str
) -> None:
    bid, ask = bid_ticks * TICK, (bid_ticks + spread_ticks) * TICK
    found = quote(str(bid), str(ask), str(bid))
    price = smart_price(found, "BUY" if action == "BUY" else "SELL", TICK)
    assert price is not None and on_tick(price, TICK)
    lowest, highest = band(found.deciding_price, TICK)
    assert lowest <= price <= highest
    if action == "BUY":
        assert price <= ask * Decimal("1.001") + TICK
    else:
        assert price >= bid * Decimal("0.999") - TICK
