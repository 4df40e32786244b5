from __future__ import annotations

import pytest

from accounts.gateway import limits
from accounts.gateway.reports import OrderReply, Verdict
from tests.trading.desk import LOT, Desk
from tests.trading.points import Crash, Points, die
from trading.domain import exits
from trading.models import Book, Order
from trading.services import answers, evidence, submit, work


def _second_worker_hangs(desk: Desk, where: str) -> None:
    """Another worker takes a pass and never comes back from the wire."""
    mine, desk.side.points = desk.side.points, Points()
    try:
        with desk.side.points.watch(die, where=lambda name: name == where):
            desk.step()
    except Crash:
        pass
    finally:
        desk.side.points = mine


@pytest.mark.parametrize("moment", [0, 1])
def test_a_second_worker_finds_the_order_on_the_wire_and_leaves_it(desk: Desk, moment: int) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.poll()
    order = _read(desk, book)

    def hang() -> None:
        _second_worker_hangs(desk, "wire after placeorder")

    # The first worker has read the order as unsent, or is about to claim it: the other is on the wire.
    with desk.side.points.watch(hang, at=moment):
        assert not submit.entries(order.book, [order])
    assert len(desk.placed("CE")) == 1


def _read(desk: Desk, book: Book) -> Order:
    """The book's only order as a worker that decides about it has read it: with the book, and the book's version."""
    order = Order.objects.select_related("book", "account").get(book=book)
    assert order.state == "INITIALIZED"
    return order


def test_the_brokers_name_is_kept_where_another_has_moved_the_order(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.poll()
    order = _read(desk, book)
    order.state = "SUBMITTED"
    Order.objects.filter(pk=order.pk).update(state="UNKNOWN")
    answers.replies(
        [order], {order.pk: OrderReply(Verdict.ACCEPTED, broker_order_id="26112100000001")}, version=order.book.version
    )
    order.refresh_from_db()
    assert (order.state, order.broker_order_id) == ("ACCEPTED", "26112100000001"), "the late answer proves that it exists"


def test_what_happens_between_the_decision_and_the_claim_undoes_the_decision(paper: Desk) -> None:
    """An exit's cancel was confirmed, its successor is decided; then the exchange reports a fill of the first after all."""
    book = paper.open(paper.line(1, "BUY", "CE", 2 * LOT))
    paper.run_until(lambda: paper.owned(book, "CE") == 2 * LOT)
    paper.fault("slow_fill", seconds=60)
    paper.exit(book)
    paper.run_until(lambda: bool(paper.placed("CE", action="SELL")), dt=0.1)
    first = paper.placed("CE", action="SELL")[0]
    told: list[int] = []

    def late_fill() -> None:
        broker = paper.broker()
        broker._fill(first, LOT, first.price)
        first.status = "cancelled"
        paper.poll()
        told.append(paper.owned(book, "CE"))

    def successor_is_decided(name: str) -> bool:
        """The last moment before its row is written."""
        if not name.startswith("sql SAVEPOINT") or paper.orders(book, exits=True)[-1].state != "CANCELED":
            return False
        return any(isinstance(s, exits.Exit) for s in exits.steps(evidence.facts(paper.goal(book), paper.now())))

    while not told:
        with paper.side.points.watch(late_fill, where=successor_is_decided):
            paper.step()
        paper.advance(0.1)
    assert told == [LOT]
    assert paper.settle()
    assert (paper.net("CE"), paper.state(book)) == (0, "FLAT")
    assert sum(o.filled for o in paper.placed("CE", action="SELL")) == 2 * LOT
    assert "LATE_FILL" in paper.alarms()


def test_sending_twice_sends_once(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.poll()
    order, again = _read(desk, book), _read(desk, book)
    assert submit.entries(order.book, [order])
    assert not submit.entries(again.book, [again])
    assert not submit.entries(order.book, [order])
    assert len(desk.placed("CE")) == 1
    assert desk.placed("CE")[0].quantity == LOT


def test_a_sender_that_is_held_up_while_it_waits_for_the_budget_sends_no_more(
    live: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process stands still for a minute. Meanwhile the exit is given up as lost, asked anew, and fills."""
    book = live.open(live.line(1, "BUY", "CE"))
    live.run_until(lambda: live.owned(book, "CE") == LOT)
    live.run(2)
    granted, stalled = limits.take, []

    def take(account_id: int, kind: limits.Kind, rate: int, *, exit: bool, wait_s: float) -> bool:
        if kind == "orders" and not stalled:
            stalled.append(account_id)
            for _ in range(60):
                live.advance(1.0)
                work.step(account_id)
            assert live.net("CE") == 0
        return granted(account_id, kind, rate, exit=exit, wait_s=wait_s)

    monkeypatch.setattr(limits, "take", take)
    live.exit(book)
    assert live.settle()
    assert len(live.placed("CE", action="SELL")) == 1 and live.net("CE") == 0
