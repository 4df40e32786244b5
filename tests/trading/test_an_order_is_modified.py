"""A modify's answer decides nothing: what the order book shows does."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from algomirror.kernel.errors import Conflict, Denied, Refused
from algomirror.ops.models import Journal
from simulator.orders import OrderRequest
from tests.properties.profile import SOAK
from tests.trading import hooks
from tests.trading.desk import LOT, Desk
from tests.trading.points import Crash, die
from trading.models import Book, Order
from trading.services import apply, cancel, modify


def resting(desk: Desk, *, lots: int = 2, limit: str = "90", action: Any = "BUY", freeze: int | None = 1800) -> Order:
    """A trader's limit, accepted and waiting."""
    book = desk.open(desk.line(1, action, "CE", lots * LOT, limit=limit, freeze=freeze))
    desk.run_until(lambda: Order.objects.get(book=book).state == "ACCEPTED")
    return Order.objects.get(book=book)


def change(order: Order, **terms: Any) -> Order:
    return modify.request(order.pk, by="user:alice", **terms)


def now(order: Order) -> Order:
    return Order.objects.get(pk=order.pk)


def there(desk: Desk, order: Order) -> tuple[Decimal, int]:
    found = desk.broker().orders[now(order).broker_order_id]
    return found.price, found.quantity


def test_price_and_quantity_are_the_orders_once_the_book_shows_them(desk: Desk) -> None:
    order = resting(desk)
    asked = change(order, price=Decimal("92"), units=LOT)
    assert (asked.change_state, asked.price, asked.units) == ("ASKED", Decimal(90), 2 * LOT)
    desk.run(2)
    order = now(order)
    assert (order.change_state, order.price, order.units, order.state) == ("DONE", Decimal(92), LOT, "ACCEPTED")
    assert there(desk, order) == (Decimal(92), LOT)
    kinds = Journal.objects.filter(order_id=order.pk, kind__startswith="order.mod").order_by("id").values_list("kind", flat=True)
    assert list(kinds) == ["order.modify_asked", "order.modified"]


def test_a_stop_takes_another_trigger(live: Desk) -> None:
    desk = live
    line = desk.line(1, "BUY", "CE", limit="112")
    book = desk.open(_stop(line, "110"))
    desk.run_until(lambda: Order.objects.get(book=book).state == "ACCEPTED")
    change(Order.objects.get(book=book), trigger_price=Decimal("108"))
    desk.run(2)
    order = Order.objects.get(book=book)
    assert (order.change_state, order.trigger_price, order.price) == ("DONE", Decimal(108), Decimal(112))
    assert desk.broker().orders[order.broker_order_id].trigger == Decimal(108)


def _stop(line: Any, trigger: str) -> Any:
    from dataclasses import replace

    return replace(line, price_type="SL", trigger_price=Decimal(trigger))


@pytest.mark.parametrize("fault", ["timeout_after_accept", "broken_body"])
def test_a_lost_answer_is_found_in_the_book(live: Desk, fault: str) -> None:
    desk = live
    order = resting(desk)
    desk.fault(fault, endpoint="modifyorder")
    change(order, price=Decimal("92"))
    desk.run(3)
    assert (now(order).change_state, now(order).price) == ("DONE", Decimal(92))


@pytest.mark.parametrize(
    ("fault", "state"),
    [("refuse", "REFUSED"), ("modify_ignored", "UNSURE"), ("timeout_before_accept", "UNSURE"), ("rate_limited", "REFUSED")],
)
def test_what_the_book_does_not_show_leaves_the_order_as_it_was(paper: Desk, fault: str, state: str) -> None:
    desk = paper
    order = resting(desk)
    desk.fault(fault, endpoint="modifyorder")
    change(order, price=Decimal("92"), units=3 * LOT)
    desk.run(8)
    order = now(order)
    assert (order.change_state, order.price, order.units) == (state, Decimal(90), 2 * LOT)
    assert order.change_text
    if state == "UNSURE":
        assert "ORDER_CHANGE_UNSURE" in desk.alarms()
        with pytest.raises(Refused, match="an earlier change may still come true"):
            change(order, price=Decimal("93"))


def test_a_failed_book_decides_nothing(live: Desk) -> None:
    desk = live
    order = resting(desk)
    change(order, price=Decimal("92"))
    desk.fault("books_fail", book="orderbook", count=None)
    desk.run(6)
    assert (now(order).change_state, now(order).price) == ("ASKED", Decimal(90))
    desk.calm()
    desk.run(2)
    assert now(order).change_state == "DONE"


def test_a_change_that_comes_true_after_it_was_given_up_is_recognised(live: Desk) -> None:
    desk = live
    order = resting(desk)
    desk.fault("timeout_before_accept", endpoint="modifyorder")
    change(order, units=3 * LOT)
    desk.run(8)
    assert now(order).change_state == "UNSURE"
    request = desk.broker().orders[now(order).broker_order_id].request
    desk.broker().modify(now(order).broker_order_id, _with(request, quantity=3 * LOT))
    desk.run(2)
    assert (now(order).change_state, now(order).units) == ("DONE", 3 * LOT)
    assert "LATE_MODIFY" in desk.alarms()


def _with(request: OrderRequest, **fields: Any) -> OrderRequest:
    from dataclasses import replace

    return replace(request, **fields)


def test_more_units_that_traded_before_they_were_seen_are_no_overfill(live: Desk) -> None:
    desk = live
    order = resting(desk)
    desk.fault("lost_reply", endpoint="modifyorder")
    change(order, units=4 * LOT)
    desk.price("CE", 89.0)
    for _ in range(4):
        desk.advance(0.5)
    desk.run(4)
    assert (now(order).state, now(order).units, now(order).filled_units) == ("FILLED", 4 * LOT, 4 * LOT)
    assert "OVERFILL" not in desk.alarms() and not hooks.halted


def test_while_more_units_are_in_doubt_the_old_ones_filled_do_not_finish_it(live: Desk) -> None:
    order = resting(live)
    live.fault("partial_fill")
    live.fault("timeout_before_accept", endpoint="modifyorder")
    change(order, units=3 * LOT)
    assert now(order).change_state == "ASKED"
    live.price("CE", 89.0)
    live.run(6)
    # The book says complete at the old quantity: nothing more can come of the change.
    assert now(order).state == "FILLED" and now(order).filled_units == 2 * LOT


def test_fewer_units_can_be_all_that_filled(live: Desk) -> None:
    order = resting(live, lots=3)
    live.broker().options.slices = 3
    live.price("CE", 89.0)
    live.run_until(lambda: now(order).filled_units >= LOT, dt=0.1)
    filled = now(order).filled_units
    live.price("CE", 100.0)
    if filled < 2 * LOT:
        change(order, units=2 * LOT)
        live.run(4)
        assert now(order).units == 2 * LOT
        live.price("CE", 89.0)
        live.run(4)
    assert live.owned(Book.objects.get(pk=order.book_id), "CE") == live.net("CE") == now(order).filled_units


def test_the_quantity_on_the_wire_is_the_total_not_what_is_left(live: Desk) -> None:
    live.fault("partial_fill", fraction=0.5)
    order = resting(live)
    live.price("CE", 89.0)
    live.run_until(lambda: now(order).filled_units == LOT)
    live.price("CE", 100.0)
    change(now(order), price=Decimal("92"))
    live.run(3)
    assert there(live, order) == (Decimal(92), 2 * LOT) and now(order).units == 2 * LOT


def test_a_sent_order_with_another_id_freezes_the_book(live: Desk) -> None:
    desk = live
    order = resting(desk)
    desk.fault("modify_renames")
    change(order, price=Decimal("92"))
    assert desk.state(order.book) == Book.State.FROZEN
    assert Book.objects.get(pk=order.book_id).freeze_kind == "AMBIGUOUS"


def test_a_changed_order_that_reappears_under_another_id_is_not_taken_for_a_lost_one(live: Desk) -> None:
    desk = live
    order = resting(desk, lots=1)
    desk.fault("modify_renames")
    desk.fault("lost_reply", endpoint="modifyorder")
    change(order, price=Decimal("92"))
    other = desk.open(desk.line(1, "BUY", "CE", limit="91"))
    desk.fault("timeout_before_accept", endpoint="placeorder")
    desk.run(16)
    lost = Order.objects.get(book=other)
    assert lost.broker_order_id == ""
    assert desk.state(order.book) == Book.State.FROZEN


# --- who may, and to what ------------------------------------------------------------------------


BAD_TERMS: list[tuple[dict[str, Any], str]] = [
    ({"price": Decimal("90.03")}, "price"),
    ({"price": Decimal(0)}, "price"),
    ({"price": Decimal(500)}, "price"),
    ({"trigger_price": Decimal(90)}, "trigger_price"),
    ({"units": LOT + 1}, "units"),
    ({"units": 0}, "units"),
    ({"units": 40 * LOT}, "units"),
]


def test_bad_terms_are_refused_by_field(paper: Desk) -> None:
    order = resting(paper)
    for terms, field in BAD_TERMS:
        with pytest.raises(Refused) as refused:
            change(order, **terms)
        assert field in refused.value.fields and now(order).change_state == ""
    assert (paper.accounts[0].pk, "modifyorder") not in paper.side.calls


def test_without_a_fresh_price_a_new_price_is_refused_and_less_of_it_is_not(paper: Desk) -> None:
    order = resting(paper)
    paper.stale.add("CE")
    paper.advance(60)
    with pytest.raises(Refused, match="not changed"):
        change(order, price=Decimal("92"))
    assert change(order, units=LOT).change_state == "ASKED"


def test_more_of_it_or_another_price_pass_the_gate_and_less_does_not(paper: Desk) -> None:
    order = resting(paper)

    def closed(order: Order) -> None:
        raise Denied("SESSION_CLOSED", "closed")

    hooks.gate = closed
    for terms in ({"units": 3 * LOT}, {"price": Decimal("92")}):
        with pytest.raises(Denied):
            change(order, **terms)
    assert change(order, units=LOT).change_state == "ASKED"


def test_what_the_engine_pegs_itself_is_left_to_it(paper: Desk) -> None:
    book = paper.open(paper.line(1, "BUY", "CE"))
    paper.price("CE", 130.0)
    paper.run_until(lambda: paper.orders(book)[0].state == "ACCEPTED", dt=0.1)
    with pytest.raises(Refused, match="follows the price by itself"):
        change(paper.orders(book)[0], price=Decimal("101"))


def test_the_quantity_of_a_hedge_belongs_to_its_structure(paper: Desk) -> None:
    book = paper.open(
        paper.line(1, "BUY", "CEW", purpose="HEDGE", hedge_legs=(2,), limit="18"),
        paper.line(2, "SELL", "CE", hedge_legs=(1,)),
        wait_s=600,
    )
    paper.run_until(lambda: paper.orders(book)[0].state == "ACCEPTED")
    hedge = paper.orders(book)[0]
    with pytest.raises(Refused) as refused:
        change(hedge, units=2 * LOT)
    assert "hedged structure" in refused.value.fields["units"]
    assert change(hedge, price=Decimal("19")).change_state == "ASKED"


def test_an_exit_and_a_book_that_is_left_are_not_changed(paper: Desk) -> None:
    order = resting(paper)
    paper.exit(order.book)
    with pytest.raises(Refused):
        change(order, price=Decimal("92"))
    apply.freeze(order.book_id, kind="AMBIGUOUS", why="test")
    with pytest.raises(Refused, match="frozen"):
        change(order, price=Decimal("92"))


def test_the_same_wish_again_is_no_second_request(paper: Desk) -> None:
    order = resting(paper)
    for _ in range(3):
        change(order, price=Decimal("92"))
    assert paper.side.calls.count((paper.accounts[0].pk, "modifyorder")) == 1
    with pytest.raises(Refused, match="not decided yet"):
        change(order, price=Decimal("93"))
    paper.run(2)
    assert change(order, price=Decimal("92")).change_state == "DONE"


# --- races and crashes ---------------------------------------------------------------------------


def test_a_fill_that_comes_first_wins(paper: Desk) -> None:
    order = resting(paper)
    paper.price("CE", 89.0)
    change(order, units=LOT)  # by our rows it still rests; at the broker all of it has traded
    paper.run(4)
    assert (now(order).state, now(order).filled_units) == ("FILLED", 2 * LOT)


def test_a_goal_that_comes_while_it_is_asked_closes_what_fills(live: Desk) -> None:
    desk = live
    order = resting(desk)
    desk.side.after_dispatch = lambda account, endpoint: desk.exit(order.book) and None if endpoint == "modifyorder" else None
    change(order, units=3 * LOT)
    desk.side.after_dispatch = None
    desk.price("CE", 89.0)
    assert desk.settle()
    assert desk.net("CE") == 0 and desk.state(order.book) == Book.State.FLAT


def test_a_cancel_that_comes_first_ends_it(live: Desk) -> None:
    desk = live
    order = resting(desk)
    cancel.request(order.pk, asked_by="user:bob", why="by hand")
    with pytest.raises(Refused, match="being cancelled"):
        change(order, price=Decimal("92"))
    desk.settle()
    assert now(order).state == "CANCELED"


def test_two_workers_ask_once(paper: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    order = resting(paper)
    honest = modify._judge

    def slowly(*args: Any) -> None:
        honest(*args)
        monkeypatch.setattr(modify, "_judge", honest)
        change(order, price=Decimal("93"))

    monkeypatch.setattr(modify, "_judge", slowly)
    with pytest.raises(Conflict):
        change(order, price=Decimal("92"))
    paper.run(2)
    assert (now(order).price, there(paper, order)[0]) == (Decimal(93), Decimal(93))


@pytest.mark.parametrize("at", range(30) if SOAK else range(1, 14, 4))
def test_a_crash_at_any_moment_leaves_one_truth(live: Desk, at: int) -> None:
    order = resting(live)
    try:
        with live.side.points.watch(die, at=at):
            change(order, price=Decimal("92"), units=3 * LOT)
    except Crash:
        pass
    live.run(24, dt=1.0)
    order = now(order)
    assert order.change_state != "ASKED"
    if order.change_state in ("", "DONE"):
        assert (order.price, order.units) == there(live, order)
    live.price("CE", 89.0)
    live.run(5)
    assert live.net("CE") == now(order).filled_units and live.net("CE") in (2 * LOT, 3 * LOT)
