"""A modify holds as it was asked or shown, and never beyond it, whatever the books say in whatever order."""

from __future__ import annotations

from hypothesis import given

from accounts.gateway.reports import Word
from tests.properties.profile import examples
from tests.properties.test_reconcile_proves_or_stands_still import judge
from tests.properties.worlds import worlds
from trading.domain.orders import OrderState
from trading.domain.reconcile import Modified, Move, Odd, OurOrder, SeenOrder, Traded, TradedSum, Unmodified

S = OrderState
World = tuple[list[OurOrder], list[SeenOrder], dict[str, TradedSum]]


@examples(400)
@given(worlds())
def test_a_change_is_taken_only_as_it_was_asked_or_shown_and_never_beyond_it(world: World) -> None:
    mine, book, trades = world
    by_id = {o.order_id: o for o in mine}
    shown = {s.row.broker_order_id: s for s in book}
    for change in judge(mine, book, trades):
        if isinstance(change, Modified):
            order = by_id[change.order_id]
            assert order.change is not None
            seen_row = shown.get(order.broker_order_id)
            units = {order.units, order.change.asked.units}
            assert change.terms.units in units
            proven = seen_row is not None and seen_row.terms.price == change.terms.price
            assert proven or trades[order.broker_order_id].units > order.units or change.terms.price == order.price
        if isinstance(change, Unmodified):
            assert by_id[change.order_id].change is not None


@examples(400)
@given(worlds())
def test_units_that_a_change_asked_for_are_no_overfill(world: World) -> None:
    mine, book, trades = world
    units = {o.order_id: o.units for o in mine}
    changes = judge(mine, book, trades)
    units |= {c.order_id: c.terms.units for c in changes if isinstance(c, Modified)}
    traded = {c.order_id: c.units for c in changes if isinstance(c, Traded)}
    for change in changes:
        if isinstance(change, Odd) and change.kind == "OVERFILL":
            assert traded[change.order_id] > units[change.order_id]


@examples(400)
@given(worlds())
def test_an_order_that_may_have_grown_is_not_filled_before_its_book_says_so(world: World) -> None:
    mine, book, trades = world
    by_id = {o.order_id: o for o in mine}
    shown = {s.row.broker_order_id: s.row.word for s in book}
    changes = judge(mine, book, trades)
    decided = {c.order_id for c in changes if isinstance(c, Modified | Unmodified)}
    for change in changes:
        order = by_id[change.order_id] if isinstance(change, Move) else None
        if (
            order is None
            or not isinstance(change, Move)
            or change.to is not S.FILLED
            or order.change is None
            or change.order_id in decided
        ):
            continue
        traded = trades.get(order.broker_order_id)
        filled = max(order.filled_units, 0 if traded is None else traded.units)
        assert filled >= order.most_units or shown.get(order.broker_order_id) in (Word.COMPLETE, Word.CANCELLED, Word.REJECTED)
