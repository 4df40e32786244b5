"""The broker's books cover one day. What was not proven in them is proven no more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from marketdata import calendar
from marketdata.reference.load import load
from tests.trading.desk import FRIDAY_TEN, LOT, Desk


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


def test_positions_carried_overnight_are_exited_the_next_day(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.run_until(lambda: desk.owned(book, "CE") == LOT)
    _next_morning(desk)
    desk.run(3)
    desk.exit(book)
    assert desk.settle()
    assert (desk.net("CE"), desk.state(book)) == (0, "FLAT")
