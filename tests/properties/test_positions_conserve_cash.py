from __future__ import annotations

from decimal import Decimal
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from tests.properties.profile import examples
from trading.domain.positions import Net, Traded, add, fold

Action = Literal["BUY", "SELL"]
actions: st.SearchStrategy[Action] = st.sampled_from(["BUY", "SELL"])
paise = st.integers(5, 5_000_000).map(lambda n: Decimal(n) / 100)


@st.composite
def fills(draw: st.DrawFn) -> list[Traded]:
    rows = draw(st.lists(st.tuples(actions, st.integers(1, 40), paise), max_size=25))
    return [Traded(action, units, price * units) for action, units, price in rows]


def cash(rows: list[Traded]) -> Decimal:
    return sum((f.value if f.action == "SELL" else -f.value for f in rows), Decimal(0))


def signed(rows: list[Traded]) -> int:
    return sum(f.units if f.action == "BUY" else -f.units for f in rows)


@examples(400)
@given(fills())
def test_realised_and_open_are_the_cash_to_the_last_digit_at_every_moment(rows: list[Traded]) -> None:
    net = Net()
    for n, row in enumerate(rows, start=1):
        net = add(net, row)
        sign = (net.units > 0) - (net.units < 0)
        assert net.units == signed(rows[:n])
        assert net.realised - sign * net.open_value == cash(rows[:n])
        assert net.sold_value - net.bought_value == cash(rows[:n])
        assert net.bought_units - net.sold_units == net.units
        assert net.open_value >= 0
        if net.units == 0:
            assert net.open_value == 0 and net.realised == cash(rows[:n])


@examples(300)
@given(fills(), st.data())
def test_splitting_a_fill_changes_no_quantity_and_no_cash(rows: list[Traded], data: st.DataObject) -> None:
    split: list[Traded] = []
    for row in rows:
        part = data.draw(st.integers(0, row.units))
        price = row.value / row.units
        split += [Traded(row.action, n, price * n) for n in (part, row.units - part) if n]
    whole, parts = fold(rows), fold(split)
    assert (whole.units, whole.bought_units, whole.sold_units) == (parts.units, parts.bought_units, parts.sold_units)
    # Rounding a cost to a millionth more often may move that much between realised and open, never out of the sum.
    assert abs(whole.realised - parts.realised) <= Decimal("0.000002") * (len(split) + 1)


@examples(300)
@given(st.lists(st.tuples(st.integers(1, 40), paise), min_size=1, max_size=20), st.randoms(), actions)
def test_fills_of_one_side_may_come_in_any_order(rows: list[tuple[int, Decimal]], chance: object, action: Action) -> None:
    made = [Traded(action, units, price * units) for units, price in rows]
    shuffled = list(made)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    assert fold(made) == fold(shuffled)


@examples(200)
@given(fills())
def test_the_average_of_an_open_position_is_what_it_cost(rows: list[Traded]) -> None:
    net = fold(rows)
    assert (net.average is None) == (net.units == 0)
    if net.average is not None:
        assert abs(net.average * abs(net.units) - net.open_value) < Decimal("0.000001")
