"""To the market: cancel, confirm, and exactly the confirmed remainder; never more than was wanted, whatever happens."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from algomirror.kernel.errors import Denied, Refused
from algomirror.ops.models import Journal
from tests.properties.profile import SOAK
from tests.trading import hooks, truth
from tests.trading.desk import LOT, Desk
from tests.trading.points import Crash, die
from tests.trading.test_an_order_is_modified import now, resting
from trading.models import Book, Order
from trading.services import cancel, convert, modify


def to_market(order: Order) -> Order:
    return convert.request(order.pk, by="user:alice")


def attempts(order: Order) -> list[Order]:
    return list(Order.objects.filter(book=order.book_id).order_by("attempt"))


def reach(desk: Desk) -> int:
    """Units that stand or may yet fill at the broker."""
    orders = desk.broker().orders.values()
    return sum(o.filled if o.status in ("complete", "cancelled", "rejected") else o.quantity for o in orders)


def test_what_rested_fills_at_the_market(desk: Desk) -> None:
    order = resting(desk)
    assert to_market(order).state == "PENDING_CANCEL"
    desk.run_until(lambda: desk.net("CE") == 2 * LOT)
    desk.run(2)
    first, second = attempts(order)
    assert (first.state, second.state, second.units, second.protected, second.price_type) == (
        "CANCELED",
        "FILLED",
        2 * LOT,
        True,
        "LIMIT",
    )
    assert second.permit == first.permit and second.price > Decimal(100)
    assert desk.owned(order.book, "CE") == 2 * LOT


@pytest.mark.parametrize("kind", ["SL", "SL-M"])
def test_a_stop_goes_to_the_market_without_its_trigger(paper: Desk, kind: str) -> None:
    from dataclasses import replace

    line = replace(paper.line(1, "BUY", "CE", limit="112"), price_type=kind, trigger_price=Decimal(110))
    book = paper.open(replace(line, price=Decimal(0)) if kind == "SL-M" else line)
    paper.run_until(lambda: Order.objects.get(book=book).state == "ACCEPTED")
    to_market(Order.objects.get(book=book))
    paper.run_until(lambda: paper.net("CE") == LOT)
    newest = Order.objects.filter(book=book).latest("attempt")
    assert (newest.price_type, newest.trigger_price) == ("LIMIT", 0)


def test_a_part_that_filled_is_not_sent_again(live: Desk) -> None:
    live.fault("partial_fill", fraction=0.5)
    order = resting(live)
    live.price("CE", 89.0)
    live.run_until(lambda: now(order).filled_units == LOT)
    to_market(now(order))
    live.run_until(lambda: len(attempts(order)) == 2)
    assert [o.units for o in attempts(order)] == [2 * LOT, LOT]
    live.run(4)
    assert live.net("CE") == 2 * LOT


def test_a_fill_during_the_cancel_is_counted(live: Desk) -> None:
    order = resting(live)
    live.fault("timeout_before_accept", endpoint="cancelorder")
    live.side.while_hanging = lambda: live.price("CE", 89.0)
    to_market(order)
    live.run(8)
    assert live.net("CE") == 2 * LOT and sum(o.filled_units for o in attempts(order)) == 2 * LOT


@pytest.mark.parametrize("fault", ["timeout_before_accept", "lost_reply", "refuse"])
def test_a_cancel_without_an_answer_is_asked_again_until_the_book_shows_its_end(live: Desk, fault: str) -> None:
    order = resting(live)
    live.fault(fault, endpoint="cancelorder", count=2)
    to_market(order)
    live.run_until(lambda: live.net("CE") == 2 * LOT, seconds=60)
    live.run(2)
    assert reach(live) == 2 * LOT and [o.state for o in attempts(order)] == ["CANCELED", "FILLED"]


def test_nothing_goes_out_before_the_books_prove_the_end(live: Desk) -> None:
    order = resting(live)
    to_market(order)
    live.fault("books_fail", book="orderbook", count=None)
    live.run(6)
    assert len(attempts(order)) == 1
    live.calm()
    live.run(4)
    assert live.net("CE") == 2 * LOT


def test_nothing_goes_out_before_the_position_agrees_and_a_person_hears_of_it(live: Desk) -> None:
    order = resting(live)
    live.outside("BUY", "CE", 5 * LOT)
    to_market(order)
    live.run(20)
    assert len(attempts(order)) == 1 and live.net("CE") == 5 * LOT
    assert "ORDER_NOT_TO_MARKET" in live.alarms()
    assert Journal.objects.filter(kind="order.not_to_market", order_id=order.pk).count() == 1
    live.run(20)
    assert len(attempts(order)) == 1 and not now(order).to_market


def test_without_a_fresh_price_nothing_goes_out(paper: Desk) -> None:
    order = resting(paper)
    to_market(order)
    paper.stale.add("CE")
    paper.advance(60)
    paper.run(20)
    assert len(attempts(order)) == 1 and "ORDER_NOT_TO_MARKET" in paper.alarms()


def test_any_other_cancel_takes_the_wish_back(live: Desk) -> None:
    order = resting(live)
    to_market(order)
    cancel.request(order.pk, asked_by="user:bob", why="by hand")
    live.run(20)
    assert len(attempts(order)) == 1 and live.net("CE") == 0
    assert "ORDER_NOT_TO_MARKET" not in live.alarms()


def test_an_exit_that_comes_meanwhile_wins(live: Desk) -> None:
    desk = live
    order = resting(desk)
    to_market(order)
    desk.exit(order.book)
    assert desk.settle()
    assert desk.net("CE") == 0 and desk.state(order.book) == Book.State.FLAT


def test_the_gate_is_asked_and_asking_twice_is_one_wish(paper: Desk) -> None:
    order = resting(paper)

    def closed(order: Order) -> None:
        raise Denied("SESSION_CLOSED", "closed")

    hooks.gate = closed
    with pytest.raises(Denied):
        to_market(order)
    hooks.gate = None
    for _ in range(3):
        to_market(order)
    paper.run(6)
    assert to_market(order).to_market
    assert paper.net("CE") == 2 * LOT and len(attempts(order)) == 2


def test_what_follows_the_price_or_is_being_changed_does_not_go(paper: Desk) -> None:
    order = resting(paper)
    modify.request(order.pk, by="user:alice", price=Decimal("92"))
    with pytest.raises(Refused, match="not decided yet"):
        to_market(order)
    book = paper.open(paper.line(1, "BUY", "PE"))
    paper.price("PE", 130.0)
    paper.run_until(lambda: paper.orders(book)[0].state == "ACCEPTED", dt=0.1)
    with pytest.raises(Refused, match="by itself"):
        to_market(paper.orders(book)[0])


def test_a_changed_quantity_is_the_one_that_goes_out(live: Desk) -> None:
    order = resting(live)
    modify.request(order.pk, by="user:alice", units=3 * LOT)
    live.run_until(lambda: now(order).change_state == "DONE")
    to_market(now(order))
    live.run(5)
    assert live.net("CE") == 3 * LOT


def test_a_hedge_that_rests_goes_to_the_market_and_lets_its_short_through(live: Desk) -> None:
    book = live.open(
        live.line(1, "BUY", "CEW", purpose="HEDGE", hedge_legs=(2,), limit="18"),
        live.line(2, "SELL", "CE", hedge_legs=(1,)),
        wait_s=600,
    )
    live.run_until(lambda: live.orders(book)[0].state == "ACCEPTED")
    to_market(live.orders(book)[0])
    live.run_until(lambda: (live.net("CEW"), live.net("CE")) == (LOT, -LOT))
    assert live.state(book) == Book.State.OPEN


# --- at every moment -----------------------------------------------------------------------------

STRIDE = 1 if SOAK else 37
FAULTS: list[str | None] = [None, "timeout_after_accept", "lost_reply"] if SOAK else [None]


def _disturbed(what: str, at: int, fault: str | None) -> tuple[int, str]:
    """Broker units at the end, and the moment's name; the other side is asked after every step."""
    with a_fresh_desk() as desk:
        order = resting(desk)
        if fault is not None:
            desk.fault(fault, endpoint=["cancelorder", "placeorder"])

        def work() -> None:
            to_market(order)
            for _ in range(4):
                desk.advance(0.5)
                desk.step()

        act: Any = die if what == "it dies" else lambda: desk.step()
        try:
            with desk.side.points.watch(act, at=at) as points:
                work()
        except Crash:
            pass
        name = points.names[at] if at < len(points.names) else ""
        assert reach(desk) <= 2 * LOT, name
        asked = now(order).to_market
        for _ in range(30):
            desk.advance(1.0)
            desk.step()
            assert reach(desk) <= 2 * LOT, name
        assert truth.lies(desk) + truth.unsettled(desk) == [], name
        lapsed = any(o.state == "LAPSED" for o in attempts(order))
        # A wish that was never written down, or an entry nobody can prove, leaves it where it was.
        assert desk.net("CE") == 2 * LOT or not asked or lapsed, f"{name}: {[(str(o), o.state) for o in attempts(order)]}"
        return desk.net("CE"), name


def a_fresh_desk() -> Any:
    from tests.trading.test_every_moment import _a_fresh_desk

    return _a_fresh_desk("live")


@pytest.mark.django_db
@pytest.mark.timeout(0 if SOAK else 800)
@pytest.mark.parametrize("what", ["it dies", "another comes first"])
def test_at_each_moment_nothing_is_sent_beyond_what_was_wanted(what: str) -> None:
    for fault in FAULTS:
        at = len(what) % STRIDE
        while _disturbed(what, at, fault)[1]:
            at += STRIDE
