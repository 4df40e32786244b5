from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from marketdata.domain.quotes import Source
from marketdata.feed.parse import Book, Nonsense, Partial
from marketdata.feed.tape import Tape
from tests.marketdata.cast import FRIDAY, quote, seconds

D = Decimal
KEY = "NFO:X"


def tick(price: str | None, **more: object) -> Partial:
    return Partial(KEY, last_price=None if price is None else D(price), **more)  # type: ignore[arg-type]


def test_parts_that_a_tick_does_not_say_are_kept() -> None:
    tape = Tape()
    tape.take(tick(None, open_interest=50, prev_close=D(90)), FRIDAY)
    tape.take(tick("100", book=Book(D(99), D(101), 65, 130)), FRIDAY)
    seen = tape.take(tick("100.5", volume=7), FRIDAY + seconds(1))
    assert seen is not None
    assert (seen.bid, seen.ask, seen.open_interest, seen.volume, seen.prev_close) == (99, 101, 50, 7, 90)
    assert seen.received_at == FRIDAY + seconds(1)


def test_a_tick_without_a_price_makes_no_price_younger() -> None:
    tape = Tape()
    tape.take(tick("100"), FRIDAY)
    assert tape.take(tick(None, open_interest=5), FRIDAY + seconds(3)) is None
    newest = tape.newest(KEY)
    assert newest is not None and newest.received_at == FRIDAY


def test_a_refused_price_is_counted_and_leaves_the_old_one_its_age() -> None:
    tape = Tape()
    tape.take(tick("100"), FRIDAY)
    assert tape.take(Nonsense(KEY), FRIDAY + seconds(1)) is None
    newest = tape.newest(KEY)
    assert tape.refused == 1 and newest is not None and newest.received_at == FRIDAY


def test_a_book_that_no_longer_moves_is_not_shown_with_a_living_price() -> None:
    tape = Tape()
    tape.take(tick("100", book=Book(D(99), D(101), 65, 65)), FRIDAY)
    late = tape.take(tick("80"), FRIDAY + seconds(5.1))
    assert late is not None and (late.bid, late.ask) == (None, None)
    assert late.deciding_price == 80


def test_a_single_spike_never_decides() -> None:
    tape = Tape()
    tape.take(tick("100"), FRIDAY)
    assert tape.take(tick("1000"), FRIDAY + seconds(1)) is None
    back = tape.take(tick("101"), FRIDAY + seconds(2))
    assert back is not None and back.last_price == 101
    assert tape.doubted_since(FRIDAY + seconds(60)) == []


def test_a_true_gap_is_taken_at_the_second_look() -> None:
    tape = Tape()
    tape.take(tick("100"), FRIDAY)
    assert tape.take(tick("160"), FRIDAY + seconds(1)) is None
    gap = tape.take(tick("165"), FRIDAY + seconds(1.5))
    assert gap is not None and gap.last_price == 165


def test_a_jump_nobody_confirms_is_asked_for_after_two_seconds_and_the_answer_decides() -> None:
    tape = Tape()
    tape.take(tick("100"), FRIDAY)
    tape.take(tick("160"), FRIDAY + seconds(1))
    assert tape.doubted_since(FRIDAY + seconds(0.9)) == []
    assert tape.doubted_since(FRIDAY + seconds(1)) == [KEY]
    tape.settle(quote(KEY, "158", FRIDAY + seconds(3), Source.REST))
    assert tape.doubted_since(FRIDAY + seconds(9)) == []
    after = tape.take(tick("159"), FRIDAY + seconds(4))
    assert after is not None and after.last_price == 159


def test_small_prices_may_move_by_twenty_rupees_at_once() -> None:
    tape = Tape()
    tape.take(tick("5"), FRIDAY)
    assert tape.take(tick("25"), FRIDAY + seconds(1)) is not None
    assert tape.take(tick("45.05"), FRIDAY + seconds(2)) is None


def test_an_answer_older_than_the_last_tick_does_not_replace_it() -> None:
    tape = Tape()
    tape.take(tick("100"), FRIDAY)
    tape.settle(quote(KEY, "90", FRIDAY - seconds(1), Source.REST))
    newest = tape.newest(KEY)
    assert newest is not None and newest.last_price == 100


@given(st.lists(st.decimals(min_value=1, max_value=5000, places=2), min_size=1, max_size=30))
def test_every_quote_given_out_was_seen_and_its_time_is_its_own(prices: list[Decimal]) -> None:
    tape = Tape()
    for second, price in enumerate(prices):
        given_out = tape.take(Partial(KEY, last_price=price), FRIDAY + seconds(second))
        if given_out is not None:
            assert (given_out.last_price, given_out.received_at) == (price, FRIDAY + seconds(second))
    assert tape.accepted + tape.doubts == len(prices)
