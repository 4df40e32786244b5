"""Some brokers give an order that is modified, here or at a terminal, another id. What is done elsewhere goes on as before."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.trading.desk import LOT, Desk
from trading.models import Book, BrokerOrder
from trading.services import mirror, modify


def _held(desk: Desk) -> Book:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.run_until(lambda: desk.owned(book, "CE") == LOT)
    desk.run(2)
    return book


def _half_filled(desk: Desk, broker_order_id: str) -> None:
    there = desk.broker().orders[broker_order_id]
    desk.broker()._fill(there, LOT, Decimal("60"))
    desk.run(20)


def _the_exit_follows_the_price(desk: Desk, book: Book) -> None:
    desk.fault("slow_fill", symbol=desk.symbols["CE"], seconds=600, count=1)
    desk.exit(book)
    desk.run(30)
    assert (desk.net("CE"), desk.state(book)) == (0, "FLAT")


@pytest.mark.parametrize("is_half_filled", [False, True])
def test_somebody_else_s_order(live: Desk, is_half_filled: bool) -> None:
    book = _held(live)
    theirs = live.outside("BUY", "PE", 2 * LOT, price=60.0)
    live.run(20)
    if is_half_filled:
        _half_filled(live, theirs)
    now = live.broker().rename(theirs)
    live.run(20)
    assert "BOOK_LOST_ROWS" not in live.alarms()
    old, new = BrokerOrder.objects.get(broker_order_id=theirs), BrokerOrder.objects.get(broker_order_id=now)
    assert (old.raw_status, old.traded_units, new.traded_units) == (mirror.RENAMED, 0, LOT if is_half_filled else 0)
    _the_exit_follows_the_price(live, book)


def test_an_order_of_another_run_of_ours(live: Desk) -> None:
    """That run's book is frozen: which order works there a person must see. The other run is not held up by it."""
    book = _held(live)
    other = live.open(live.line(1, "BUY", "PE", 2 * LOT, limit="60"))
    live.run(4)
    _half_filled(live, live.orders(other)[0].broker_order_id)
    live.fault("modify_renames")
    modify.request(live.orders(other)[0].pk, by="user:alice", price=Decimal("61"))
    live.run(10)
    assert live.state(other) == "FROZEN"
    _the_exit_follows_the_price(live, book)


def test_a_row_that_is_only_lost_is_missed_and_known_again(live: Desk) -> None:
    book = _held(live)
    theirs = live.outside("BUY", "PE", LOT, price=60.0)
    live.run(20)
    live.fault("books_partial", book="orderbook", count=3)
    live.run(20)
    assert "BOOK_LOST_ROWS" in live.alarms()
    assert BrokerOrder.objects.get(broker_order_id=theirs).word == "WORKING"
    _the_exit_follows_the_price(live, book)
