"""Some gateways show a neighbour's status for an order in transit."""

from __future__ import annotations

import pytest

from tests.trading.desk import LOT, Desk
from trading.models import Book


def _owned(desk: Desk) -> Book:
    book = desk.open(desk.line(1, "BUY", "CE", 2 * LOT))
    desk.run_until(lambda: desk.owned(book, "CE") == 2 * LOT)
    desk.run(2)
    return book


@pytest.mark.parametrize("status", ["cancelled", "rejected"])
def test_an_exit_shown_as_ended_once_is_not_sent_again_beside_itself(desk: Desk, status: str) -> None:
    book = _owned(desk)
    desk.fault("slow_fill", seconds=4)
    desk.exit(book)
    desk.run_until(lambda: bool(desk.placed("CE", action="SELL")), dt=0.05)
    exit_order = desk.placed("CE", action="SELL")[0]
    honest, exit_order.status = exit_order.status, status
    desk.poll()
    exit_order.status = honest
    assert [o.state for o in desk.orders(book, exits=True)] == ["ACCEPTED"]
    assert desk.settle()
    assert desk.net("CE") == 0 and desk.state(book) == "FLAT"


def test_an_entry_shown_as_cancelled_once_is_not_entered_twice(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.fault("slow_fill", seconds=4)
    desk.run_until(lambda: bool(desk.placed("CE")), dt=0.05)
    entry = desk.placed("CE")[0]
    honest, entry.status = entry.status, "cancelled"
    desk.poll()
    entry.status = honest
    desk.run(10)
    assert desk.net("CE") == LOT == desk.owned(book, "CE")


def test_complete_without_trades_is_no_fill(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.fault("missing_trades", count=6)
    desk.run(3, dt=0.5)
    assert desk.owned(book, "CE") == 0
    assert all(o.state != "FILLED" for o in desk.orders(book))
    desk.calm()
    desk.run_until(lambda: desk.owned(book, "CE") == LOT)


def test_the_alarm_for_a_fill_without_trades_waits_for_the_bound(desk: Desk) -> None:
    desk.open(desk.line(1, "BUY", "CE"))
    desk.fault("missing_trades", count=1)
    desk.run(3)
    assert "COMPLETE_WITHOUT_TRADES" not in desk.alarms()
    desk.open(desk.line(1, "BUY", "PE"))
    desk.fault("missing_trades", count=30)
    desk.run(8)
    assert "COMPLETE_WITHOUT_TRADES" in desk.alarms()


def test_trades_that_come_after_the_cancel_are_not_entered_again(desk: Desk) -> None:
    """The book says cancelled, the trade book still lacks what filled before: the remainder is not yet known."""
    book = desk.open(desk.line(1, "BUY", "CE", 2 * LOT))
    desk.fault("partial_fill", fraction=0.5)
    desk.fault("missing_trades", count=6)
    desk.run(20)
    assert desk.net("CE") <= 2 * LOT
    assert desk.owned(book, "CE") == desk.net("CE")


def test_trades_that_come_after_the_cancel_of_an_exit_are_not_exited_again(desk: Desk) -> None:
    book = _owned(desk)
    desk.fault("partial_fill", fraction=0.5)
    desk.exit(book)
    desk.run_until(lambda: bool(desk.placed("CE", action="SELL")), dt=0.1)
    desk.fault("missing_trades", count=5)
    assert desk.settle()
    assert desk.net("CE") == 0 and desk.state(book) == "FLAT"
