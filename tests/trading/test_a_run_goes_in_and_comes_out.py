from __future__ import annotations

from tests.trading import truth
from tests.trading.desk import LOT, Desk


def test_entry_fill_exit_done_flat(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE", 2 * LOT))
    desk.run_until(lambda: desk.owned(book, "CE") == 2 * LOT)
    assert desk.net("CE") == 2 * LOT
    desk.exit(book)
    assert desk.settle()
    assert (desk.state(book), desk.goal(book).state, desk.net("CE"), desk.owned(book, "CE")) == ("FLAT", "DONE", 0, 0)
    assert truth.unsettled(desk) == []
