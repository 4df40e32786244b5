"""All tickets of an account stand in one book: a contract that one ticket traded is another's hedge or short later."""

from __future__ import annotations

import pytest

from algomirror.kernel.errors import Refused
from tests.trading.desk import LOT, Desk
from trading.models import Book, Position
from trading.services import byhand, intents
from trading.services.intents import EntryLine


def _ticket(desk: Desk, scope: str, *lines: EntryLine) -> Book:
    desk.poll()
    intents.add_ticket_orders(account=desk.accounts[0], lines=lines, scope=scope, actor="user:alice")
    desk.run(10)
    return Book.objects.get(kind=Book.Kind.TICKET)


def _spread(desk: Desk, scope: str, leg: int) -> Book:
    """A short behind its hedge, as legs `leg` and the next."""
    hedge = desk.line(leg, "BUY", "CEW", purpose="HEDGE", hedge_legs=(leg + 1,))
    return _ticket(desk, scope, hedge, desk.line(leg + 1, "SELL", "CE", hedge_legs=(leg,)))


def _position(desk: Desk, book: Book, name: str) -> Position:
    return Position.objects.get(book=book, symbol=desk.symbols[name])


def _close(desk: Desk, book: Book, name: str) -> None:
    byhand.close_position(_position(desk, book, name).pk, by="user:alice", key=f"close {name}")
    assert desk.settle()
    assert desk.owned(book, name) == 0


def _the_hedge_leaves_last(desk: Desk, book: Book, hedges: int = LOT) -> None:
    short = desk.owned(book, "CE")
    desk.fault("slow_fill", symbol=desk.symbols["CE"], seconds=600, count=3)
    byhand.close_book(book.pk, by="user:alice", key="all")
    desk.run(3)
    assert (desk.net("CE"), desk.net("CEW") >= hedges) == (short, True)
    desk.calm()
    assert desk.settle()
    assert (desk.net("CE"), desk.net("CEW")) == (0, 0)


@pytest.mark.parametrize("name", ["CEW", "CE"])
def test_a_hedge_leaves_last_though_its_contract_was_traded_before(live: Desk, name: str) -> None:
    book = _ticket(live, "t1", live.line(1, "BUY", name))
    _close(live, book, name)
    _spread(live, "t2", 2)
    _the_hedge_leaves_last(live, book)


def test_a_hedge_leaves_last_though_another_ticket_holds_its_contract(live: Desk) -> None:
    book = _ticket(live, "t1", live.line(1, "BUY", "CEW"))
    _spread(live, "t2", 2)
    assert live.owned(book, "CEW") == 2 * LOT
    with pytest.raises(Refused):
        byhand.close_position(_position(live, book, "CEW").pk, by="user:alice", key="k")
    _the_hedge_leaves_last(live, book)


def test_two_spreads_of_the_same_contracts(live: Desk) -> None:
    _spread(live, "t1", 1)
    book = _spread(live, "t2", 3)
    assert (live.owned(book, "CEW"), live.owned(book, "CE")) == (2 * LOT, -2 * LOT)
    _the_hedge_leaves_last(live, book, hedges=2 * LOT)


def test_what_was_a_hedge_once_covers_no_later_ticket(live: Desk) -> None:
    """The spread is closed; the same contracts, bought and sold by tickets of their own, have nothing to do with each other."""
    book = _spread(live, "t1", 1)
    _close(live, book, "CE")
    _close(live, book, "CEW")
    _ticket(live, "t2", live.line(3, "BUY", "CEW"))
    _ticket(live, "t3", live.line(4, "SELL", "CE"))
    byhand.close_position(_position(live, book, "CEW").pk, by="user:alice", key="again")
    assert live.settle()
    assert (live.net("CEW"), live.net("CE")) == (0, -LOT)
