"""A book that lost rows it had before is no complete book: what it does not show may well be there."""

from __future__ import annotations

import pytest

from tests.trading.desk import LOT, Desk
from trading.models import Book


def _owned(desk: Desk) -> Book:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.run_until(lambda: desk.owned(book, "CE") == LOT)
    desk.run(2)
    return book


@pytest.mark.parametrize("fault", ["books_empty", "books_partial"])
def test_an_exit_in_doubt_does_not_lapse_on_a_book_that_lost_rows(desk: Desk, fault: str) -> None:
    book = _owned(desk)
    desk.fault("timeout_after_accept")
    desk.fault("slow_fill", seconds=40)
    if fault == "books_empty":
        desk.fault(fault, book="orderbook", count=40)
    else:
        desk.fault(fault, book="orderbook", count=40, drop=2)
    desk.exit(book)
    desk.run(30)
    assert len(desk.placed("CE", action="SELL")) == 1
    desk.calm()
    assert desk.settle()
    assert desk.net("CE") == 0 and desk.state(book) == "FLAT"


@pytest.mark.parametrize("options", [{"book": "orderbook"}, {"book": "tradebook"}, {"book": "positionbook"}])
def test_a_failed_read_changes_nothing(desk: Desk, options: dict[str, str]) -> None:
    book = _owned(desk)
    rows = [(o.state, o.filled_units, o.missing_reads) for o in desk.orders(book)]
    desk.fault("books_fail", count=30, **options)
    desk.run(15)
    assert [(o.state, o.filled_units, o.missing_reads) for o in desk.orders(book)] == rows
    assert (desk.state(book), desk.owned(book, "CE")) == ("OPEN", LOT)


@pytest.mark.parametrize("kind", ["books_fail", "books_empty"])
def test_an_exit_survives_position_books_that_fail_or_lie_empty(desk: Desk, kind: str) -> None:
    book = _owned(desk)
    desk.fault(kind, book="positionbook", count=4)
    desk.exit(book)
    assert desk.settle()
    assert (desk.net("CE"), desk.state(book)) == (0, "FLAT")


def test_nothing_is_sent_when_the_position_book_stays_empty_and_a_person_is_called(desk: Desk) -> None:
    book = _owned(desk)
    desk.fault("books_empty", book="positionbook", count=200)
    desk.advance(6)
    desk.poll()
    desk.exit(book)
    desk.run(8)
    assert desk.placed("CE", action="SELL") == []
    assert desk.state(book) == "FROZEN" and "BOOK_FROZEN" in desk.alarms()
    desk.calm()
    assert desk.settle()
    assert (desk.net("CE"), desk.state(book)) == (0, "FLAT")
