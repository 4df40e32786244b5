from __future__ import annotations

from decimal import Decimal

from tests.trading import hooks
from tests.trading.desk import LOT, Desk, a_desk
from trading.models import Fill


def test_reading_the_same_books_again_adds_nothing(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE", 3 * LOT))
    for _ in range(20):
        desk.step()
        desk.poll()
        desk.poll()
        desk.advance(0.3)
    assert desk.owned(book, "CE") == 3 * LOT == sum(Fill.objects.values_list("units", flat=True))


def test_partial_fills_count_when_they_happen(live: Desk) -> None:
    book = live.open(live.line(1, "BUY", "CE", 3 * LOT))
    seen = set()
    for _ in range(20):
        live.step()
        live.poll()
        seen.add(live.owned(book, "CE"))
        live.advance(0.3)
    assert {0, LOT, 2 * LOT, 3 * LOT} <= seen


def test_the_price_is_that_of_all_trades(live: Desk) -> None:
    book = live.open(live.line(1, "BUY", "CE", 3 * LOT))
    for price in (100.0, 100.5, 101.0, 101.0, 101.0, 101.0):
        live.price("CE", price)
        live.step()
        live.advance(0.4)
    live.settle()
    traded = sum((t.price * t.quantity for t in live.broker().trades), Decimal(0))
    position = book.positions.get()
    assert position.units == 3 * LOT and position.open_value == traded


def test_an_overfill_is_recorded_and_halts_the_account(db: None) -> None:
    with a_desk("sandbox") as desk:
        book = desk.open(desk.line(1, "BUY", "CE"))
        desk.fault("slow_fill", seconds=1)
        desk.run_until(lambda: bool(desk.placed("CE")), dt=0.1)
        desk.placed("CE")[0].quantity = 2 * LOT
        desk.run(8)
        assert desk.owned(book, "CE") == 2 * LOT == desk.net("CE")
        assert desk.accounts[0].pk in hooks.halted
        hooks.halted.clear()  # a person looked and released it
        desk.exit(book)
        assert desk.settle()
        assert desk.net("CE") == 0


def test_two_trades_of_one_order_are_one_sum(live: Desk) -> None:
    book = live.open(live.line(1, "SELL", "CE", 2 * LOT))
    live.run_until(lambda: live.owned(book, "CE") == -2 * LOT)
    fills = list(Fill.objects.filter(book=book).values_list("units", "cumulative_units"))
    assert sum(units for units, _ in fills) == 2 * LOT
    assert fills[-1][1] == 2 * LOT
