"""The quantity of an order of ours is lowered in the broker's own terminal, and what is left of it trades."""

from __future__ import annotations

from tests.trading.desk import LOT, Desk
from trading.models import Book


def _smaller(desk: Desk, name: str, action: str) -> None:
    (there,) = [order for order in desk.placed(name, action=action) if order.pending]
    desk.broker()._amend(there, LOT)


def _one_of_two_lots(desk: Desk) -> Book:
    """A resting entry of two lots; the broker has it complete with one."""
    book = desk.open(desk.line(1, "BUY", "CE", 2 * LOT, limit="60"))
    desk.run(3)
    _smaller(desk, "CE", "BUY")
    desk.run(2)
    desk.price("CE", 55.0)
    desk.run(6)
    return book


def test_an_entry_ends_with_what_traded(desk: Desk) -> None:
    book = _one_of_two_lots(desk)
    (order,) = desk.orders(book)
    assert (order.state, order.filled_units, desk.owned(book, "CE")) == ("CANCELED", LOT, LOT)
    assert "COMPLETE_WITHOUT_TRADES" not in desk.alarms()


def test_the_exit_of_what_it_bought_waits_for_nothing(desk: Desk) -> None:
    book = _one_of_two_lots(desk)
    desk.exit(book)
    assert desk.settle()
    assert (desk.net("CE"), desk.state(book)) == (0, "FLAT")


def test_what_an_exit_lacks_by_it_is_asked_again(live: Desk) -> None:
    book = live.open(live.line(1, "BUY", "CE", 2 * LOT))
    live.run_until(lambda: live.owned(book, "CE") == 2 * LOT)
    live.run(2)
    live.fault("slow_fill", seconds=0.3, count=1)
    live.exit(book)
    live.run_until(lambda: bool(live.placed("CE", action="SELL")), dt=0.1)
    _smaller(live, "CE", "SELL")
    assert live.settle()
    assert (live.net("CE"), live.state(book)) == (0, "FLAT")
