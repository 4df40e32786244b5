"""The day's P&L is its cash and the change of what is open, to the last paisa."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trading.domain.day import DayOf, day_pnl
from trading.domain.positions import Traded, add, fold

KEY = "NFO:NIFTY24NOV2626000CE"
prices = st.decimals(min_value="0.05", max_value="9000", places=2)
trades = st.lists(
    st.builds(
        lambda action, units, price: Traded(action, units, units * price),
        st.sampled_from(["BUY", "SELL"]),
        st.integers(1, 2000),
        prices,
    ),
    max_size=8,
)


def row(units: int, day: list[Traded]) -> DayOf:
    def total(action: str) -> tuple[int, Decimal]:
        mine = [t for t in day if t.action == action]
        return sum(t.units for t in mine), sum((t.value for t in mine), Decimal(0))

    return DayOf(KEY, units, *total("BUY"), *total("SELL"))


@given(before=trades, during=trades, close=prices, mark=prices)
def test_two_days_add_up_to_the_whole_life(before: list[Traded], during: list[Traded], close: Decimal, mark: Decimal) -> None:
    held = fold(before)
    net = held
    for trade in during:
        net = add(net, trade)
    closes, marks = {KEY: close}, {KEY: mark}
    first = day_pnl([row(held.units, before)], closes, {})
    second = day_pnl([row(net.units, during)], marks, closes)
    whole = day_pnl([row(net.units, [*before, *during])], marks, {})
    assert first.total is not None
    assert second.total is not None
    assert whole.total == first.total + second.total


@given(day=trades, mark=prices)
def test_a_day_from_flat_equals_realised_and_unrealised(day: list[Traded], mark: Decimal) -> None:
    net = fold(day)
    open_part = abs(net.units) * mark - net.open_value if net.units > 0 else net.open_value - abs(net.units) * mark
    found = day_pnl([row(net.units, day)], {KEY: mark}, {})
    assert found.total == net.realised + open_part


@given(day=trades)
def test_without_a_price_an_open_day_is_unknown_and_a_flat_one_is_not(day: list[Traded]) -> None:
    net = fold(day)
    found = day_pnl([row(net.units, day)], {}, {})
    assert (found.total is None) == (net.units != 0)
    assert found.missing == ((KEY,) if net.units else ())


def test_what_was_carried_needs_the_close_before_the_day() -> None:
    assert day_pnl([DayOf(KEY, 65)], {KEY: Decimal(100)}, {}).total is None
    assert day_pnl([DayOf(KEY, 65)], {KEY: Decimal(100)}, {KEY: Decimal(90)}).total == Decimal(650)
