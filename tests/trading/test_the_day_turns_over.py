"""The broker's books cover one day. What was not proven in them is proven no more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from marketdata import calendar
from marketdata.reference.load import load
from tests import cast
from tests.trading.desk import FRIDAY_TEN, LOT, NFO, TICK, Desk
from tests.trading.points import Crash, die
from trading.models import Book
from trading.services import outside
from trading.services.outside import Place, Seen


@pytest.fixture(autouse=True)
def _hours(desk: Desk) -> Iterator[None]:
    load(actor="test")
    yield
    calendar.forget()


def _to(desk: Desk, at: datetime) -> None:
    desk.advance((at - desk.now()).total_seconds())


def _next_morning(desk: Desk) -> None:
    _to(desk, FRIDAY_TEN + timedelta(hours=23))


def test_an_order_never_resolved_freezes_its_book(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE", limit="60"))
    desk.poll()
    desk.fault("timeout_after_accept")
    desk.fault("books_fail", book="orderbook", count=500)
    desk.run(5)
    assert desk.orders(book)[0].state == "UNKNOWN"
    _next_morning(desk)
    desk.calm()
    desk.run(5)
    assert desk.state(book) == "FROZEN" and "BOOK_FROZEN" in desk.alarms()


def test_a_resting_order_that_was_seen_to_the_end_of_its_day_ends_with_it(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE", limit="60"), desk.line(2, "BUY", "PE"))
    desk.run_until(lambda: desk.owned(book, "PE") == LOT)
    _to(desk, FRIDAY_TEN + timedelta(hours=8))
    desk.run(5)
    _next_morning(desk)
    desk.run(5)
    assert desk.orders(book)[0].state == "CANCELED" and desk.state(book) == "OPEN"


def test_an_order_that_may_have_filled_after_our_last_look_is_not_called_cancelled(desk: Desk) -> None:
    """We were down from the morning on; the order filled at noon; the next day its trades are gone from the books."""
    book = desk.open(desk.line(1, "BUY", "CE", limit="60"), desk.line(2, "BUY", "PE"))
    desk.run_until(lambda: desk.owned(book, "PE") == LOT)
    desk.price("CE", 55.0)
    for _ in range(4):
        desk.advance(1)
    assert desk.net("CE") == LOT
    _next_morning(desk)
    desk.run(12)
    assert desk.state(book) == "FROZEN" and "BOOK_FROZEN" in desk.alarms()


def test_an_order_whose_trades_were_never_shown_is_not_called_cancelled(desk: Desk) -> None:
    """The order book had it complete, and the trade book was read after the close without a word of it."""
    book = desk.open(desk.line(1, "BUY", "CE", limit="60"), desk.line(2, "BUY", "PE"))
    desk.run_until(lambda: desk.owned(book, "PE") == LOT)
    desk.fault("missing_trades", count=None)
    desk.price("CE", 55.0)
    desk.run(5)
    assert desk.net("CE") == LOT and "COMPLETE_WITHOUT_TRADES" in desk.alarms()
    _to(desk, FRIDAY_TEN + timedelta(hours=8))
    desk.run(5)
    _next_morning(desk)
    desk.calm()
    desk.run(12)
    assert desk.state(book) == "FROZEN" and desk.orders(book)[0].state != "CANCELED"


def _filled_unseen(desk: Desk) -> Book:
    """We were down from the morning on; CE filled at noon. It is the next morning."""
    book = desk.open(desk.line(1, "BUY", "CE", limit="60"), desk.line(2, "BUY", "PE"))
    desk.run_until(lambda: desk.owned(book, "PE") == LOT)
    desk.price("CE", 55.0)
    for _ in range(4):
        desk.advance(1)
    assert desk.net("CE") == LOT
    _next_morning(desk)
    return book


@pytest.mark.parametrize("failing", ["orderbook", "tradebook", "positionbook"])
def test_nor_when_the_morning_s_first_answer_is_only_a_part(desk: Desk, failing: str) -> None:
    """The trade book that was read this morning knows nothing of yesterday's trades."""
    book = _filled_unseen(desk)
    desk.fault("books_fail", book=failing, count=2)
    desk.run(12)
    assert desk.orders(book)[0].state != "CANCELED"
    assert desk.state(book) == "FROZEN" and "BOOK_FROZEN" in desk.alarms()


def _let_go(desk: Desk, book: Book) -> None:
    outside.thaw(book.pk, by="user:alice", why="looked at the broker")
    desk.run(6)
    assert desk.state(book) == "OPEN"
    desk.exit(book)
    assert desk.settle()
    assert desk.net("PE") == 0


def test_a_person_lets_go_of_a_book_whose_order_did_not_fill(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE", limit="60"), desk.line(2, "BUY", "PE"))
    desk.run_until(lambda: desk.owned(book, "PE") == LOT)
    _next_morning(desk)
    desk.run(12)
    assert (desk.state(book), desk.orders(book)[0].state) == ("FROZEN", "CANCELED")
    _let_go(desk, book)


def test_a_person_adopts_what_filled_unseen_and_lets_go_of_the_book(desk: Desk) -> None:
    book = _filled_unseen(desk)
    desk.run(12)
    assert (desk.state(book), desk.orders(book)[0].state) == ("FROZEN", "ACCEPTED")
    _adopt(desk, book)
    desk.run(6)
    assert desk.orders(book)[0].state == "CANCELED" and desk.owned(book, "CE") == LOT
    _let_go(desk, book)
    assert desk.net("CE") == 0


def _adopt(desk: Desk, book: Book) -> None:
    symbol = desk.symbols["CE"]
    cast.listed(NFO, symbol, lot_units=LOT, tick=TICK)
    place = Place(desk.accounts[0].pk, NFO, symbol, "NRML")
    outside.adopt(place, Seen(0, LOT), book_id=book.pk, price=None, by="user:alice", key="k")


def test_what_was_being_sent_when_the_day_ended_is_given_up_by_a_person(desk: Desk) -> None:
    """The process died with an exit on its way, and the host came back the next morning."""
    book = desk.open(desk.line(2, "BUY", "PE"))
    desk.run_until(lambda: desk.owned(book, "PE") == LOT)
    desk.run(3)
    desk.exit(book)
    with desk.side.points.watch(die, where=lambda name: name == "wire before placeorder"), pytest.raises(Crash):
        desk.step()
    _next_morning(desk)
    desk.run(12)
    (lost,) = desk.orders(book, exits=True)
    assert (lost.state, desk.state(book)) == ("UNKNOWN", "FROZEN")
    outside.never_sent(lost.pk, by="user:alice", why="the broker has no such order")
    outside.thaw(book.pk, by="user:alice", why="looked at the broker")
    assert desk.settle()
    assert (desk.net("PE"), desk.state(book)) == (0, "FLAT")


def test_positions_carried_overnight_are_exited_the_next_day(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.run_until(lambda: desk.owned(book, "CE") == LOT)
    _next_morning(desk)
    desk.run(3)
    desk.exit(book)
    assert desk.settle()
    assert (desk.net("CE"), desk.state(book)) == (0, "FLAT")


@pytest.mark.parametrize("fault", ["timeout_before_accept", "timeout_after_accept"])
def test_what_one_book_lost_yesterday_keeps_no_other_book_from_leaving(desk: Desk, fault: str) -> None:
    """Both own the same contract; the exit of one was never resolved. The other leaves, or is told why it cannot."""
    books = [desk.open(desk.line(1, "BUY", "CE")) for _ in range(2)]
    desk.run_until(lambda: [desk.owned(book, "CE") for book in books] == [LOT, LOT])
    desk.run(3)
    desk.fault(fault, count=1)
    desk.fault("books_fail", book="orderbook", count=500)
    desk.exit(books[0])
    desk.run(4)
    assert desk.orders(books[0], exits=True)[0].state == "UNKNOWN"
    _to(desk, FRIDAY_TEN + timedelta(hours=71, minutes=30))
    desk.calm()
    desk.run(5)
    assert desk.state(books[0]) == "FROZEN"
    desk.exit(books[1])
    desk.run(40)
    arrived = fault == "timeout_after_accept"
    assert (desk.state(books[1]), desk.net("CE")) == (("FROZEN", LOT) if arrived else ("FLAT", LOT)), desk.orders(books[1])
    assert desk.orders(books[0], exits=True)[0].state == "LAPSED"
