"""Re-pegging is the machine's own act: nobody else's cancel may be answered with a new order."""

from __future__ import annotations

from typing import Any

import pytest

from algomirror.ops.models import Alarm
from tests.trading.desk import LOT, Desk
from trading.models import Book, Order
from trading.services import apply, cancel


def _resting_protected_entry(desk: Desk) -> tuple[object, int]:
    """A protected entry that the market has just run away from, working at the broker."""
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.price("CE", 130.0)
    desk.run_until(lambda: bool(desk.placed("CE")) and desk.orders(book)[0].state == "ACCEPTED", dt=0.1)
    return book, desk.orders(book)[0].pk


def test_a_persons_cancel_is_not_answered_with_a_new_order(desk: Desk) -> None:
    book, order_id = _resting_protected_entry(desk)
    assert cancel.request(order_id, asked_by="user:alice", why="changed my mind")
    desk.run(8)
    assert [o.state for o in desk.orders(book)] == ["CANCELED"]  # type: ignore[arg-type]
    assert len(desk.placed("CE")) == 1 and desk.net("CE") == 0


def test_cancelling_all_entries_of_an_account_lasts(desk: Desk) -> None:
    book, _ = _resting_protected_entry(desk)
    assert cancel.request_for_account(desk.accounts[0].pk, asked_by="user:alice", why="kill switch") == 1
    desk.run(8)
    assert len(desk.placed("CE")) == 1
    assert [o.state for o in desk.orders(book)] == ["CANCELED"]  # type: ignore[arg-type]


def test_closing_one_leg_cancels_its_working_entry_for_good(desk: Desk) -> None:
    book = desk.open(desk.line(1, "SELL", "PE"), desk.line(2, "BUY", "CE"))
    desk.fault("slow_fill", symbol=desk.symbols["CE"], seconds=60)
    desk.run_until(lambda: desk.orders(book)[1].state == "ACCEPTED", dt=0.1)
    desk.exit(book, targets=desk.target("CE"))
    desk.run(10)
    assert desk.goal(book).state == "DONE"
    assert len(desk.placed("CE")) == 1 and desk.net("CE") == 0
    assert desk.owned(book, "PE") == -LOT


def test_a_protected_entry_follows_the_price_by_itself(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.price("CE", 130.0)
    desk.run_until(lambda: desk.owned(book, "CE") == LOT, seconds=20)
    assert [o.state for o in desk.orders(book)][-1] == "FILLED"
    assert desk.net("CE") == LOT


def test_a_cancel_without_effect_is_said_because_nobody_repeats_it(live: Desk) -> None:
    book = live.open(live.line(1, "BUY", "CE", limit="90"))
    live.run_until(lambda: live.orders(book)[0].state == "ACCEPTED")
    live.fault("timeout_before_accept", endpoint="cancelorder")
    cancel.request(live.orders(book)[0].pk, asked_by="user:alice", why="by hand")
    live.run(6)
    assert live.orders(book)[0].state == "ACCEPTED" and "ORDER_CANCEL_NO_EFFECT" in live.alarms()


def _said_of_no_effect() -> str:
    return Alarm.objects.get(kind="ORDER_CANCEL_NO_EFFECT").text


def _working(live: Desk, **options: Any) -> tuple[Book, Order]:
    book = live.open(live.line(1, "BUY", "CE", limit="90"), live.line(2, "BUY", "PE"), **options)
    live.run_until(lambda: live.owned(book, "PE") == LOT and live.orders(book)[0].state == "ACCEPTED")
    live.fault("http_5xx", endpoint="cancelorder", count=500)
    return book, live.orders(book)[0]


@pytest.mark.parametrize("state", ["OPEN", "REDUCING"])
def test_what_nobody_cancels_again_is_asked_of_a_person(live: Desk, state: str) -> None:
    book, order = _working(live)
    Book.objects.filter(pk=book.pk).update(state=state)
    cancel.request(order.pk, asked_by="user:alice", why="by hand")
    live.run(30)
    assert _said_of_no_effect().endswith("it still works at the broker; nothing cancels it by itself: cancel it again")
    assert live.orders(book)[0].cancels == 1


def test_of_a_frozen_book_it_says_why_nothing_cancels_it(live: Desk) -> None:
    book, order = _working(live)
    cancel.request(order.pk, asked_by="user:alice", why="by hand")
    apply.freeze(book.pk, kind="AMBIGUOUS", why="a test")
    live.run(30)
    assert "its book is frozen, nothing cancels it by itself: cancel it again" in _said_of_no_effect()
    assert live.orders(book)[0].cancels == 1


@pytest.mark.parametrize("case", ["an exit of its leg", "the end of the window", "it came back"])
def test_what_the_engine_cancels_again_says_so_and_is(live: Desk, case: str) -> None:
    book, order = _working(live, **({"until_s": 20.0} if case == "the end of the window" else {}))
    if case == "an exit of its leg":
        live.exit(book, targets=live.target("CE"))
    elif case == "it came back":
        Order.objects.filter(pk=order.pk).update(revived_at=live.now())
        cancel.request(order.pk, asked_by="user:alice", why="by hand")
    live.run(60)
    assert _said_of_no_effect().endswith("it still works at the broker; the engine cancels it again by itself")
    assert live.orders(book)[0].cancels > 2


def test_a_whole_exit_that_cancels_again_rings_only_for_itself(live: Desk) -> None:
    book, _ = _working(live)
    live.exit(book)
    live.run(30)
    assert "ORDER_CANCEL_NO_EFFECT" not in live.alarms() and "EXIT_SLOW" in live.alarms()
    assert live.orders(book)[0].cancels > 2


def test_an_exit_between_two_attempts_forbids_the_next(desk: Desk) -> None:
    book, _ = _resting_protected_entry(desk)
    desk.stale.add("CE")  # without a fresh price the next attempt waits
    desk.run_until(lambda: desk.orders(book)[0].state == "CANCELED", dt=0.5)  # type: ignore[arg-type]
    assert desk.exit(book) is not None, "it is between two attempts: there is something to forbid"  # type: ignore[arg-type]
    desk.stale.clear()
    desk.quote()
    desk.run(20)
    assert len(desk.placed("CE")) == 1 and desk.net("CE") == 0
    assert desk.state(book) == "FLAT"  # type: ignore[arg-type]
