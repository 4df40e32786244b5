from __future__ import annotations

from tests.trading.desk import LOT, Desk
from trading.models import Book
from trading.services import apply


def _missing(desk: Desk) -> Book:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.run_until(lambda: desk.owned(book, "CE") == LOT)
    desk.fault("books_empty", book="positionbook", count=200)
    desk.advance(6)
    desk.poll()
    desk.exit(book)
    desk.run(8)
    assert Book.objects.get(pk=book.pk).freeze_kind == "MISSING"
    return book


def test_a_second_graver_reason_is_not_lost_and_does_not_thaw_by_itself(paper: Desk) -> None:
    book = _missing(paper)
    apply.freeze(book.pk, kind="HALT", why="the kill switch")
    paper.calm()
    paper.run(15)
    assert paper.state(book) == "FROZEN" and paper.net("CE") == LOT


def test_a_frozen_book_sends_nothing_and_still_books_what_trades(paper: Desk) -> None:
    book = paper.open(paper.line(1, "BUY", "CE", limit="80"), paper.line(2, "BUY", "PE"))
    paper.run_until(lambda: paper.owned(book, "PE") == LOT)
    apply.freeze(book.pk, kind="HALT", why="the kill switch")
    paper.exit(book)
    paper.price("CE", 79.0)
    paper.run(5)
    assert paper.owned(book, "CE") == LOT
    assert paper.orders(book, exits=True) == []
    apply.thaw(book.pk, who="user:alice", why="checked")
    assert paper.settle()
    assert paper.state(book) == "FLAT" and paper.net("CE") == 0
