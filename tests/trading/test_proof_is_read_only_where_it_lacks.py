"""Positions are read beside the books; a second time only where something ended meanwhile and waits for proof."""

from __future__ import annotations

from tests.trading.desk import LOT, Desk
from trading.services import evidence, poll


def position_reads(desk: Desk) -> int:
    return sum(call == "positionbook" for _, call in desk.side.calls)


def test_an_exit_that_fills_reads_positions_once_a_round(desk: Desk) -> None:
    book = desk.strangle()
    desk.run_until(lambda: [desk.owned(book, n) for n in ("CE", "PE")] == [-LOT, -LOT])
    before, rounds = position_reads(desk), sum(call == "orderbook" for _, call in desk.side.calls)
    desk.exit(book)
    assert desk.settle()
    assert desk.state(book) == "FLAT"
    assert position_reads(desk) - before == sum(call == "orderbook" for _, call in desk.side.calls) - rounds


def test_what_is_left_of_an_order_that_ended_waits_for_a_read_of_its_own(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE", 2 * LOT))
    desk.run_until(lambda: desk.owned(book, "CE") == 2 * LOT)
    desk.fault("partial_fill", count=1)
    desk.exit(book)
    for _ in range(200):
        before = position_reads(desk)
        desk.step()
        if any(order.state == "CANCELED" for order in desk.orders(book, exits=True)):
            break
        assert position_reads(desk) - before <= 1, "nothing has ended yet"
        desk.advance(0.1)
    assert desk.owned(book, "CE") == LOT
    assert position_reads(desk) - before == 2, "the round that saw its end reads positions again behind it"
    assert desk.settle()
    assert (desk.net("CE"), desk.state(book)) == (0, "FLAT")
    desk.advance(60)
    before = position_reads(desk)
    poll.account(book.account_id)
    assert not evidence.lacks_proof(book.account_id)
    assert position_reads(desk) - before == 1
