from __future__ import annotations

import pytest

from tests.trading.desk import LOT, PREMIUM, Desk, a_desk
from trading.models import Book
from trading.services import intents


def test_a_strangle_goes_in_behind_its_hedges(desk: Desk) -> None:
    book = desk.strangle(2 * LOT)
    desk.run_until(lambda: desk.owned(book, "CE") == desk.owned(book, "PE") == -2 * LOT)
    desk.exit(book)
    assert desk.settle()
    assert desk.state(book) == "FLAT"
    assert [desk.net(n) for n in ("CE", "PE", "CEW", "PEW")] == [0, 0, 0, 0]


@pytest.mark.parametrize("fault", ["refuse", "reject_later", "slow_fill", "partial_fill"])
def test_a_hedge_that_fails_in_one_account_unwinds_that_account_only(db: None, fault: str) -> None:
    with a_desk("live", accounts=3) as desk:
        books = [desk.strangle(2 * LOT, account=n, wait_s=5.0) for n in range(3)]
        options = {"slow_fill": {"seconds": 600}}.get(fault, {})
        desk.fault(fault, account=2, symbol=desk.symbols["CEW"], count=50, **options)
        desk.run(20)
        desk.calm()
        desk.run(20)
        assert [desk.owned(books[n], "CE") for n in (0, 2)] == [-2 * LOT, -2 * LOT]
        assert desk.placed("CE", account=1) == []
        assert [desk.net(n, account=1) for n in ("CE", "PE", "CEW", "PEW")] == [0, 0, 0, 0]
        assert desk.state(books[1]) == "FLAT" and desk.goal(books[1]).reason == "ENTRY_ABORTED"


def test_a_hedge_that_fills_in_part_lets_only_that_part_through(live: Desk) -> None:
    live.open(
        live.line(1, "BUY", "CEW", 3 * LOT, purpose="HEDGE", hedge_legs=(2,)),
        live.line(2, "SELL", "CE", 3 * LOT, hedge_legs=(1,), freeze=LOT),
        wait_s=60,
    )
    live.fault("partial_fill", symbol=live.symbols["CEW"], fraction=0.34, count=20)
    live.run_until(lambda: live.net("CEW") == LOT)
    live.run(3, dt=0.2)
    assert -live.net("CE") <= live.net("CEW")


def test_a_later_ticket_is_not_undone_by_an_old_tickets_failed_hedge(paper: Desk) -> None:
    account = paper.accounts[0]
    paper.poll()
    first = [
        paper.line(1, "BUY", "CEW", purpose="HEDGE", hedge_legs=(2,)),
        paper.line(2, "SELL", "CE", hedge_legs=(1,)),
    ]
    paper.fault("refuse", symbol=paper.symbols["CEW"])
    intents.add_ticket_orders(account=account, lines=first, scope="t1", actor="user:alice")
    paper.run(20)
    loose = [paper.line(3, "BUY", "PE", 2 * LOT)]
    intents.add_ticket_orders(account=account, lines=loose, scope="t2", actor="user:alice")
    paper.run(10)
    book = Book.objects.get(kind=Book.Kind.TICKET)
    assert paper.owned(book, "PE") == 2 * LOT
    second = [
        paper.line(4, "BUY", "CEW", purpose="HEDGE", hedge_legs=(5,)),
        paper.line(5, "SELL", "CE", hedge_legs=(4,)),
    ]
    intents.add_ticket_orders(account=account, lines=second, scope="t3", actor="user:alice")
    paper.run(20)
    assert paper.owned(book, "PE") == 2 * LOT
    assert (paper.owned(book, "CEW"), paper.owned(book, "CE")) == (LOT, -LOT)


def test_a_tickets_failed_hedge_undoes_that_ticket_only(paper: Desk) -> None:
    account = paper.accounts[0]
    paper.poll()
    intents.add_ticket_orders(account=account, lines=[paper.line(1, "BUY", "PE", 2 * LOT)], scope="t1", actor="user:alice")
    paper.run(10)
    hedged = [
        paper.line(2, "BUY", "CEW", 2 * LOT, purpose="HEDGE", hedge_legs=(3,), freeze=LOT),
        paper.line(3, "SELL", "CE", 2 * LOT, hedge_legs=(2,)),
    ]
    paper.fault("refuse", symbol=paper.symbols["CEW"])
    intents.add_ticket_orders(account=account, lines=hedged, scope="t2", actor="user:alice")
    paper.run(30)
    book = Book.objects.get(kind=Book.Kind.TICKET)
    assert paper.owned(book, "PE") == 2 * LOT, "an unrelated ticket's position was closed"
    assert (paper.owned(book, "CEW"), paper.owned(book, "CE")) == (0, 0)


def test_slices_are_all_known_and_a_refused_one_is_visible(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE", 4 * LOT, freeze=LOT))
    desk.fault("refuse", symbol=desk.symbols["CE"])
    desk.run(10)
    states = sorted(o.state for o in desk.orders(book))
    assert states == ["FILLED", "FILLED", "FILLED", "REJECTED"]
    assert desk.owned(book, "CE") == desk.net("CE") == 3 * LOT
    desk.exit(book)
    assert desk.settle()
    assert desk.net("CE") == 0


def test_the_entry_window_closes_also_for_a_book_that_may_only_reduce(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE", limit="60"), desk.line(2, "BUY", "PE"), until_s=20)
    desk.run_until(lambda: desk.owned(book, "PE") == LOT)
    Book.objects.filter(pk=book.pk).update(state=Book.State.REDUCING)
    desk.run(40, dt=1.0)
    desk.price("CE", 55.0)
    desk.run(5)
    assert desk.net("CE") == 0


def test_after_the_entry_window_nothing_is_sent_or_left_working(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE", limit="60"), desk.line(2, "BUY", "PE"), until_s=5)
    desk.run(15)
    assert {o.state for o in desk.orders(book) if o.leg == 1} == {"CANCELED"}
    desk.price("CE", 50.0)
    desk.run(10)
    assert desk.net("CE") == 0 and desk.owned(book, "PE") == LOT


def test_a_hedge_that_follows_its_price_has_not_failed(live: Desk) -> None:
    book = live.open(
        live.line(1, "BUY", "CEW", purpose="HEDGE", hedge_legs=(2,)), live.line(2, "SELL", "CE", hedge_legs=(1,)), wait_s=10
    )
    live.price("CEW", PREMIUM["CEW"] * 1.2)  # away from the limit that was planned
    live.run_until(lambda: (live.net("CEW"), live.net("CE")) == (LOT, -LOT), dt=0.25)
    assert live.state(book) == Book.State.OPEN and len(live.placed("CEW")) == 2
