"""REDUCING by a difference ends with the difference; REDUCING by a person ends by a person."""

from __future__ import annotations

from tests.trading.desk import LOT, Desk
from trading.models import Book


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
