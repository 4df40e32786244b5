"""Never more than what is owned, never past what the broker still holds."""

from __future__ import annotations

import pytest

from marketdata import calendar
from marketdata.reference.load import load
from tests.trading.desk import LOT, Desk
from trading.models import Book


def _owned(desk: Desk, units: int = LOT, freeze: int = 1800, name: str = "CE", leg: int = 1) -> Book:
    book = desk.open(desk.line(leg, "BUY", name, units, freeze=freeze))
    desk.run_until(lambda: desk.owned(book, name) == units)
    desk.run(2)
    return book


def test_nothing_is_sent_for_what_the_broker_squared_off(desk: Desk) -> None:
    book = _owned(desk)
    desk.outside("SELL", "CE", LOT)
    desk.run(6)
    desk.exit(book)
    desk.run(8)
    assert desk.placed("CE", action="SELL") == [] and desk.net("CE") == 0
    assert desk.state(book) == "FROZEN" and "BOOK_FROZEN" in desk.alarms()


def test_what_is_missing_of_one_leg_leaves_the_other_leg_its_way_out(live: Desk) -> None:
    """Somebody bought one short back at a terminal. The exit of the other follows the price before the book is frozen."""
    book = live.open(live.line(1, "SELL", "CE"), live.line(2, "SELL", "PE"))
    live.run_until(lambda: live.owned(book, "CE") == live.owned(book, "PE") == -LOT)
    live.run(2)
    live.outside("BUY", "CE", LOT)
    live.run(8)
    live.fault("slow_fill", symbol=live.symbols["PE"], seconds=600, count=4)
    live.exit(book)
    live.run(40)
    assert (live.net("CE"), live.net("PE")) == (0, 0)
    assert live.placed("CE", action="BUY") == []
    assert live.state(book) == "FROZEN" and "BOOK_FROZEN" in live.alarms()


def test_only_what_is_left_is_exited_after_a_part_was_closed_outside(desk: Desk) -> None:
    book = _owned(desk, 3 * LOT)
    desk.outside("SELL", "CE", LOT)
    desk.run(6)
    desk.exit(book)
    desk.run(10)
    assert desk.net("CE") == 0
    assert sum(o.filled for o in desk.placed("CE", action="SELL")) == 2 * LOT


def test_slices_in_flight_count_against_what_a_square_off_left(desk: Desk) -> None:
    """Six slices to exit; while the first ones work, somebody closes three slices' worth at a terminal."""
    book = _owned(desk, 6 * LOT, freeze=LOT)
    desk.fault("slow_fill", seconds=4, count=50)
    desk.exit(book)
    desk.run_until(lambda: bool(desk.placed("CE", action="SELL")), dt=0.05)
    assert len(desk.placed("CE", action="SELL")) < 4
    desk.outside("SELL", "CE", 3 * LOT)
    for _ in range(6):
        desk.advance(0.1)
    assert desk.net("CE") == 3 * LOT
    desk.poll()
    desk.run(20, dt=0.2)
    assert desk.net("CE") >= 0


def test_a_resting_exit_is_called_back_when_the_position_went_away(desk: Desk) -> None:
    book = _owned(desk)
    desk.fault("slow_fill", seconds=30)
    desk.exit(book)
    desk.run_until(lambda: len(desk.placed("CE", action="SELL")) == 1, dt=0.1)
    desk.outside("SELL", "CE", LOT)
    desk.run(40)
    assert desk.net("CE") == 0


def test_two_books_in_one_symbol_each_end_flat_and_the_outside_part_stays(desk: Desk) -> None:
    first, second = _owned(desk), _owned(desk, 2 * LOT)
    desk.outside("BUY", "CE", 3 * LOT)
    desk.run(2)
    desk.exit(first)
    assert desk.settle()
    assert desk.net("CE") == 5 * LOT and desk.owned(second, "CE") == 2 * LOT
    desk.exit(second)
    assert desk.settle()
    assert desk.net("CE") == 3 * LOT


def test_two_books_exit_one_symbol_at_the_same_time(desk: Desk) -> None:
    books = [_owned(desk), _owned(desk), _owned(desk)]
    for book in books:
        desk.exit(book)
    assert desk.settle()
    assert desk.net("CE") == 0 and {desk.state(b) for b in books} == {"FLAT"}


def test_opposite_books_in_one_symbol_do_not_eat_each_other(desk: Desk) -> None:
    long = _owned(desk, 2 * LOT)
    short = desk.open(desk.line(1, "SELL", "CE", LOT))
    desk.run_until(lambda: desk.owned(short, "CE") == -LOT)
    desk.run(6)
    desk.exit(long)
    assert desk.settle()
    assert desk.net("CE") == -LOT and desk.owned(short, "CE") == -LOT


@pytest.mark.parametrize("count", [1, 4])
def test_a_refused_exit_keeps_the_position_and_is_asked_again_with_patience(desk: Desk, count: int) -> None:
    book = _owned(desk)
    desk.fault("refuse", count=count)
    desk.exit(book)
    desk.run(3)
    assert 2 <= len(desk.side.sent) <= 4
    assert "EXIT_REJECTED" in desk.alarms()
    assert desk.settle()
    assert (desk.net("CE"), desk.state(book)) == (0, "FLAT")


def test_an_exit_rejected_later_is_asked_again_with_the_same_patience(desk: Desk) -> None:
    book = _owned(desk)
    before = len(desk.side.sent)
    desk.fault("reject_later", count=50, after_s=0.1)
    desk.exit(book)
    desk.run(16, dt=0.1)
    sent = len(desk.side.sent) - before
    assert 2 <= sent <= 6
    assert "EXIT_REJECTED" in desk.alarms()
    assert desk.owned(book, "CE") == LOT
    desk.calm()
    assert desk.settle()
    assert (desk.net("CE"), desk.state(book)) == (0, "FLAT")


def test_one_refused_instrument_does_not_delay_the_others(desk: Desk) -> None:
    book = desk.open(desk.line(1, "SELL", "CE"), desk.line(2, "SELL", "PE"))
    desk.run_until(lambda: desk.owned(book, "CE") == -LOT and desk.owned(book, "PE") == -LOT)
    desk.run(2)
    desk.fault("refuse", symbol=desk.symbols["CE"], count=100)
    desk.fault("slow_fill", symbol=desk.symbols["PE"], seconds=60, count=50)
    desk.exit(book)
    desk.run(15)
    # The other leg walks its ladder meanwhile.
    assert len(desk.placed("PE", action="BUY")) >= 3


def test_rate_limited_exits_are_not_sent_twice_and_not_given_up(desk: Desk) -> None:
    book = _owned(desk)
    desk.fault("rate_limited", endpoint="placeorder", count=3)
    desk.exit(book)
    assert desk.settle()
    assert len(desk.placed("CE", action="SELL")) == 1 and desk.net("CE") == 0


def test_an_unreachable_server_is_asked_once_a_second_and_not_faster(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.poll()
    desk.fault("rate_limited", endpoint="placeorder", count=1000)
    desk.run(5, dt=0.05)
    asked = [c for c in desk.side.calls if c[1] == "placeorder"]
    assert len(asked) <= 7
    desk.calm()
    desk.run_until(lambda: desk.owned(book, "CE") == LOT)


def test_an_exit_waits_for_another_books_doubtful_order_without_a_storm_of_rows(desk: Desk) -> None:
    first, second = _owned(desk), _owned(desk)
    desk.fault("timeout_before_accept")
    desk.exit(first)
    desk.run_until(lambda: desk.orders(first, exits=True)[0].state == "UNKNOWN" if desk.orders(first, exits=True) else False)
    desk.exit(second)
    desk.run(5, dt=0.05)
    assert len(desk.orders(second, exits=True)) <= 8


def test_in_a_closed_market_an_exit_is_asked_once_a_minute(paper: Desk) -> None:
    load(actor="test")
    calendar.forget()
    book = paper.open(paper.line(1, "BUY", "CE"))
    paper.run_until(lambda: paper.owned(book, "CE") == LOT)
    paper.advance(6.5 * 3600)
    paper.fault("refuse", count=100)
    paper.exit(book)
    paper.run(20, dt=1.0)
    early = len(paper.orders(book, exits=True))
    paper.run(120, dt=5.0)
    assert early == 4
    assert len(paper.orders(book, exits=True)) - early == 2
    paper.calm()
    assert paper.settle(seconds=120, dt=5.0)
    assert (paper.net("CE"), paper.state(book)) == (0, "FLAT")
