"""Silence of the books is no sign that all is well: a person is told while something is at stake."""

from __future__ import annotations

import pytest

from marketdata import calendar
from marketdata.reference.load import load
from tests.trading.desk import LOT, Desk


@pytest.mark.parametrize("failing", ["orderbook", "tradebook", "positionbook"])
def test_a_book_that_fails_for_a_minute_while_something_is_held_rings(live: Desk, failing: str) -> None:
    book = live.open(live.line(1, "BUY", "CE"))
    live.run_until(lambda: live.owned(book, "CE") == LOT)
    live.fault("books_fail", book=failing, count=1000)
    live.run(40, dt=1.0)
    assert "BOOK_UNREAD" not in live.alarms()
    live.run(60, dt=1.0)
    assert "BOOK_UNREAD" in live.alarms()


def test_it_does_not_where_nothing_is_held(live: Desk) -> None:
    live.run(2)
    live.fault("books_fail", book="orderbook", count=1000)
    live.run(200, dt=2.0)
    assert "BOOK_UNREAD" not in live.alarms()


def test_nor_at_night(live: Desk) -> None:
    load(actor="test")
    book = live.open(live.line(1, "BUY", "CE"))
    live.run_until(lambda: live.owned(book, "CE") == LOT)
    live.run(3)
    live.advance(8 * 3600)
    live.fault("books_fail", book="orderbook", count=1000)
    live.run(200, dt=2.0)
    calendar.forget()
    assert "BOOK_UNREAD" not in live.alarms()
