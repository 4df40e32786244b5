"""A cancel of an order that the broker has not named yet, or one that did not leave: nobody has to press twice."""

from __future__ import annotations

import pytest

from risk.services import kill as killing
from tests.trading.desk import Desk
from trading.models import Book, Order
from trading.services import cancel, flatten


def _in_doubt(desk: Desk) -> Book:
    """A resting entry that is at the broker, and whose answer was lost."""
    book = desk.open(desk.line(1, "BUY", "CE", limit="60"))
    desk.poll()
    desk.fault("timeout_after_accept")
    desk.step()
    assert desk.orders(book)[0].state in ("UNKNOWN", "SUBMITTED")
    return book


def _at_rest(desk: Desk) -> Book:
    book = desk.open(desk.line(1, "BUY", "CE", limit="60"))
    desk.run(3)
    assert desk.orders(book)[0].state == "ACCEPTED"
    return book


def _is_cancelled(desk: Desk, book: Book) -> bool:
    (there,) = desk.placed("CE")
    return (there.status, desk.orders(book)[0].state) == ("cancelled", "CANCELED")


def test_an_order_in_doubt_is_cancelled_once_it_is_known(desk: Desk) -> None:
    book = _in_doubt(desk)
    order = desk.orders(book)[0]
    assert cancel.request(order.pk, asked_by="user:alice", why="no more")
    assert not cancel.request(order.pk, asked_by="user:alice", why="no more"), "asked twice it is one wish"
    desk.run(30)
    assert _is_cancelled(desk, book)


def test_cancelling_all_entries_reaches_what_is_on_its_way(desk: Desk) -> None:
    book = _in_doubt(desk)
    assert cancel.request_for_account(desk.accounts[0].pk, asked_by="user:alice", why="all") == 1
    desk.run(30)
    assert _is_cancelled(desk, book)


@pytest.mark.parametrize("level", ["CANCEL", "HALT"])
def test_the_kill_switch_reaches_what_is_on_its_way(desk: Desk, level: str) -> None:
    book = _in_doubt(desk)
    killing.kill(scope="run", target=book.run_id, level=level, by="user:alice")
    desk.run(30)
    assert _is_cancelled(desk, book)


def test_a_cancel_that_did_not_leave_is_asked_again(desk: Desk) -> None:
    book = _at_rest(desk)
    desk.fault("rate_limited", endpoint="cancelorder", count=3)
    cancel.request(desk.orders(book)[0].pk, asked_by="user:alice", why="no more")
    desk.run(30)
    assert _is_cancelled(desk, book)
    assert len([call for call in desk.side.calls if call[1] == "cancelorder"]) == 4


def test_an_order_that_was_given_up_and_turns_up_is_cancelled_too(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE", limit="60"), desk.line(2, "BUY", "PE"))
    desk.poll()
    desk.fault("timeout_after_accept", symbol=desk.symbols["CE"])
    desk.fault("late_visibility", symbol=desk.symbols["CE"], seconds=60)
    desk.step()
    cancel.request(desk.orders(book)[0].pk, asked_by="user:alice", why="no more")
    desk.run_until(lambda: desk.orders(book)[0].state == "LAPSED")
    desk.run(120, dt=1.0)
    assert _is_cancelled(desk, book)


def test_an_exit_needs_no_second_wish(desk: Desk) -> None:
    """A goal cancels what it finds by itself; the wish of before it is spent with that."""
    book = _in_doubt(desk)
    order = desk.orders(book)[0]
    cancel.request(order.pk, asked_by="user:alice", why="no more")
    flatten.request(book.pk, reason="MANUAL", asked_by="user:alice")
    assert desk.settle()
    assert _is_cancelled(desk, book) and desk.state(book) == "FLAT"
    assert not Order.objects.filter(cancel_wanted=True).exists()
