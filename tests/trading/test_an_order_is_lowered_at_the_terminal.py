"""A trader lowers an order of ours at the broker's own terminal, to what has traded of it: there it is complete."""

from __future__ import annotations

from dataclasses import replace

from tests.trading.desk import LOT, Desk


def _lower(desk: Desk, action: str) -> None:
    order = desk.placed("CE", action=action)[-1]
    desk.side.meddled.add(order.orderid)
    desk.broker().modify(order.orderid, replace(order.request, quantity=LOT))


def test_what_is_left_of_an_exit_that_was_lowered_leaves_all_the_same(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE", 3 * LOT))
    desk.run_until(lambda: desk.owned(book, "CE") == 3 * LOT)
    desk.run(3)
    desk.fault("partial_fill", fraction=0.34, seconds=None, count=1)
    desk.exit(book)
    desk.run_until(lambda: desk.net("CE") == 2 * LOT, dt=0.1)
    _lower(desk, "SELL")
    desk.run(40)
    assert (desk.net("CE"), desk.state(book)) == (0, "FLAT"), desk.orders(book, exits=True)


def test_an_entry_that_was_lowered_is_over(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE", 3 * LOT))
    desk.fault("partial_fill", fraction=0.34, seconds=None, count=1)
    desk.run_until(lambda: desk.net("CE") == LOT, dt=0.1)
    _lower(desk, "BUY")
    desk.run_until(lambda: desk.orders(book)[0].state == "CANCELED", seconds=20)
    desk.exit(book)
    desk.run(40)
    assert (desk.net("CE"), desk.state(book)) == (0, "FLAT")
