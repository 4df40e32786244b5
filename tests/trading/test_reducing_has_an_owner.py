"""REDUCING by a difference ends with the difference; REDUCING by a person ends by a person."""

from __future__ import annotations

import pytest

from algomirror.kernel.errors import Refused
from tests import cast
from tests.trading.desk import LOT, NFO, TICK, Desk
from trading.models import Book
from trading.pages.compare import Verdict, compared
from trading.services import outside
from trading.services.outside import Place, Seen


def _two_legs(desk: Desk) -> Book:
    book = desk.open(desk.line(1, "BUY", "CE"), desk.line(2, "BUY", "PE", limit="50"))
    desk.run_until(lambda: desk.owned(book, "CE") == LOT)
    desk.run(1)
    return book


def test_a_difference_stops_additions_and_calls_a_person(desk: Desk) -> None:
    book = _two_legs(desk)
    desk.outside("SELL", "CE", LOT)
    desk.run(12)
    assert desk.state(book) == "REDUCING" and "RECONCILE_DIFF" in desk.alarms()
    desk.outside("BUY", "CE", LOT)
    desk.run(12)
    assert desk.state(book) == "OPEN"


def test_a_read_from_before_the_difference_that_comes_late_opens_nothing_again(desk: Desk) -> None:
    book = _two_legs(desk)

    def another_worker() -> None:
        desk.outside("SELL", "CE", LOT)
        desk.advance(5)
        desk.poll()
        assert desk.state(book) == "REDUCING"

    with desk.side.points.watch(another_worker, where=lambda name: name == "wire after positionbook"):
        desk.poll()
    assert desk.state(book) == "REDUCING"


def test_what_a_person_reduced_no_read_opens_again(desk: Desk) -> None:
    book = _two_legs(desk)
    Book.objects.filter(pk=book.pk).update(state=Book.State.REDUCING)
    desk.run(15)
    assert desk.state(book) == "REDUCING"


def test_a_difference_that_orders_in_flight_explain_is_none(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE", 3 * LOT))
    desk.run(10, dt=0.2)
    assert desk.state(book) == "OPEN" and "RECONCILE_DIFF" not in desk.alarms()


def test_positions_of_nobody_change_nothing(desk: Desk) -> None:
    book = _two_legs(desk)
    desk.outside("BUY", "CEW", 2 * LOT)
    desk.outside("SELL", "PEW", LOT)
    desk.run(12)
    assert desk.state(book) == "OPEN"
    desk.exit(book)
    assert desk.settle()
    assert (desk.net("CEW"), desk.net("PEW")) == (2 * LOT, -LOT)


def _either_way(desk: Desk) -> tuple[Book, Book]:
    """Two strategies hold one instrument, as much long as short: the broker shows nothing of it."""
    long, short = desk.open(desk.line(1, "BUY", "CE")), desk.open(desk.line(1, "SELL", "CE"))
    desk.run_until(lambda: (desk.owned(long, "CE"), desk.owned(short, "CE")) == (LOT, -LOT))
    desk.run(6)
    assert desk.net("CE") == 0
    return long, short


def test_a_difference_between_books_that_hold_as_much_either_way_is_one_too(desk: Desk) -> None:
    """The short was closed at a terminal: what the other holds is naked now."""
    long, short = _either_way(desk)
    assert "RECONCILE_DIFF" not in desk.alarms()
    desk.outside("BUY", "CE", LOT)
    desk.run(12)
    assert (desk.state(long), desk.state(short)) == ("REDUCING", "REDUCING") and "RECONCILE_DIFF" in desk.alarms()
    assert [one.verdict for one in compared(desk.accounts).values()] == [Verdict.DIFFERS]


def test_the_book_that_lost_it_outside_gives_it_up(desk: Desk) -> None:
    long, short = _either_way(desk)
    cast.listed(NFO, desk.symbols["CE"], lot_units=LOT, tick=TICK)
    desk.outside("BUY", "CE", LOT)
    desk.run(12)
    place, seen = Place(desk.accounts[0].pk, NFO, desk.symbols["CE"], "NRML"), Seen(0, LOT)
    with pytest.raises(Refused):
        outside.leave(place, seen, by="user:alice", key="a")
    with pytest.raises(Refused):
        outside.close_outside(place, seen, book_id=long.pk, price=TICK, by="user:alice", key="b")
    outside.close_outside(place, seen, book_id=short.pk, price=TICK, by="user:alice", key="c")
    desk.run(12)
    assert (desk.owned(long, "CE"), desk.owned(short, "CE")) == (LOT, 0)
    assert desk.state(long) == "OPEN"
