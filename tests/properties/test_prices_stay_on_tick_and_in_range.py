from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

from hypothesis import given
from hypothesis import strategies as st

from marketdata.domain.quotes import Quote, Source
from tests.properties.profile import examples
from trading.domain.prices import ladder_price, protected_limit, protection, touch

Action = Literal["BUY", "SELL"]
actions: st.SearchStrategy[Action] = st.sampled_from(["BUY", "SELL"])
ticks = st.sampled_from([Decimal("0.05"), Decimal("0.01"), Decimal("0.10")])
NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)


@st.composite
def priced(draw: st.DrawFn) -> tuple[Decimal, Decimal]:
    tick = draw(ticks)
    return draw(st.integers(1, 60_000)) * tick, tick


@examples(500)
@given(priced(), actions, st.sampled_from([1, 2, 4]))
def test_a_protected_limit_is_on_tick_in_range_and_on_the_side_that_fills(
    at: tuple[Decimal, Decimal], action: Action, times: int
) -> None:
    reference, tick = at
    limit = protected_limit(reference, action, tick, times=times)
    width = max(reference * Decimal("0.40"), Decimal(20))
    assert limit % tick == 0 and limit >= tick
    assert reference - width <= limit <= reference + width
    assert limit >= reference if action == "BUY" else limit <= reference


@examples(200)
@given(st.integers(100_000, 6_000_000).map(lambda n: n * Decimal("0.01")), actions, st.integers(0, 4))
def test_no_rung_of_a_future_leaves_its_narrower_range(reference: Decimal, action: Action, step: int) -> None:
    tick = Decimal("0.05")
    quote = Quote("NFO:X", reference, NOW, Source.STREAM)
    price = ladder_price(action, tick, step=step, fresh=quote, last_known=reference, future=True)
    assert abs(price - reference) <= max(reference * Decimal("0.02"), Decimal(200)) and price % tick == 0


@examples(300)
@given(priced(), actions)
def test_each_rung_reaches_at_least_as_far_as_the_one_before(at: tuple[Decimal, Decimal], action: Action) -> None:
    reference, tick = at
    quote = Quote("NFO:X", reference, NOW, Source.STREAM)
    rungs = [ladder_price(action, tick, step=n, fresh=quote, last_known=reference) for n in range(8)]
    assert rungs == sorted(rungs, reverse=action == "SELL")
    assert rungs[2:] == [rungs[2]] * 6
    # Without any fresh price: the widest rung from the last known one.
    assert ladder_price(action, tick, step=0, fresh=None, last_known=reference) == rungs[-1]


@examples(200)
@given(priced(), st.one_of(st.none(), st.just(Decimal(0)), priced().map(lambda p: p[0])), actions)
def test_an_empty_or_zero_side_is_no_touch(at: tuple[Decimal, Decimal], side: Decimal | None, action: Action) -> None:
    quote = Quote("NFO:X", at[0], NOW, Source.STREAM, bid=side, ask=side)
    assert touch(quote, action) == (side if side else at[0]) > 0


def test_slabs_are_below_and_up_to() -> None:
    edges = {"9.95": "0.05", "10": "0.03", "99.95": "0.03", "100": "0.02", "499.95": "0.02", "500": "0.01", "5000": "0.01"}
    assert {p: protection(Decimal(p)) for p in edges} == {p: Decimal(s) for p, s in edges.items()}
