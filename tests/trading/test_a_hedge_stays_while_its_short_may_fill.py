from __future__ import annotations

from tests.trading.desk import LOT, Desk
from trading.models import Book


def _short_is_working(desk: Desk) -> Book:
    """The hedge has filled, its short rests at the broker."""
    book = desk.open(
        desk.line(1, "BUY", "CEW", purpose="HEDGE", hedge_legs=(2,)),
        desk.line(2, "SELL", "CE", hedge_legs=(1,), limit="125"),
    )
    desk.run_until(lambda: desk.owned(book, "CEW") == LOT and desk.orders(book)[1].state == "ACCEPTED")
    return book


def test_the_hedge_is_not_sold_while_its_short_is_being_cancelled(desk: Desk) -> None:
    book = _short_is_working(desk)
    desk.exit(book)
    desk.step()
    assert desk.placed("CEW", action="SELL") == []
    assert desk.settle() and desk.net("CEW") == 0 and desk.state(book) == "FLAT"


def test_the_hedge_is_not_sold_while_the_answer_for_its_short_is_lost(desk: Desk) -> None:
    book = desk.open(
        desk.line(1, "BUY", "CEW", purpose="HEDGE", hedge_legs=(2,)),
        desk.line(2, "SELL", "CE", hedge_legs=(1,), limit="125"),
    )
    desk.fault("timeout_after_accept", symbol=desk.symbols["CE"])
    desk.run_until(lambda: desk.orders(book)[1].state == "UNKNOWN")
    desk.fault("books_fail", book="orderbook", count=20)
    desk.exit(book)
    desk.run(3)
    assert desk.placed("CEW", action="SELL") == []
    desk.calm()
    assert desk.settle() and desk.net("CEW") == 0 and desk.net("CE") == 0


def test_a_short_that_fills_during_its_cancel_is_covered_before_the_hedge_goes(desk: Desk) -> None:
    book = _short_is_working(desk)
    desk.side.after_dispatch = None
    desk.exit(book)
    desk.price("CE", 126.0)
    desk.advance(0.5)
    assert desk.settle()
    assert (desk.net("CE"), desk.net("CEW"), desk.state(book)) == (0, 0, "FLAT")


def test_a_hedge_closed_by_hand_covers_no_more_shorts(desk: Desk) -> None:
    book = desk.open(
        desk.line(1, "BUY", "CEW", 2 * LOT, purpose="HEDGE", hedge_legs=(2,)),
        desk.line(2, "SELL", "CE", 2 * LOT, hedge_legs=(1,), freeze=LOT),
    )
    desk.poll()
    desk.run_until(lambda: desk.owned(book, "CEW") == 2 * LOT, dt=0.1)
    desk.exit(book, targets=desk.target("CEW"))
    desk.run(15)
    assert -desk.net("CE") <= desk.net("CEW")
