"""A tick that comes twice, as servers send it to whoever holds several modes, is one look at the market."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

from marketdata.domain.quotes import Source
from marketdata.feed.parse import Book, Partial
from marketdata.feed.tape import Tape
from tests.marketdata.cast import FRIDAY, quote, seconds

KEY = "NFO:X"


def tick(price: int, stamp: datetime | None) -> Partial:
    return Partial(KEY, last_price=Decimal(price), exchange_at=stamp)


@pytest.fixture
def tape() -> Tape:
    tape = Tape()
    tape.take(tick(100, FRIDAY), FRIDAY)
    return tape


def test_a_spike_that_is_repeated_does_not_confirm_itself(tape: Tape) -> None:
    at = FRIDAY + seconds(1)
    assert [tape.take(tick(900, at), at) for _ in range(3)] == [None, None, None]
    assert tape.doubted_since(at) == [KEY], "the doubt keeps its first moment, so that REST is asked in time"
    back = tape.take(tick(101, at + seconds(1)), at + seconds(1))
    assert back is not None and back.last_price == 101 and tape.doubted_since(at + seconds(9)) == []


def test_a_second_look_confirms_a_true_gap(tape: Tape) -> None:
    at = FRIDAY + seconds(1)
    assert tape.take(tick(900, at), at) is None
    gap = tape.take(tick(905, at + seconds(0.2)), at + seconds(0.2))
    assert gap is not None and gap.last_price == 905


def test_without_a_stamp_the_next_tick_is_the_second_look(tape: Tape) -> None:
    at = FRIDAY + seconds(1)
    assert tape.take(tick(900, None), at) is None
    assert tape.take(tick(900, None), at) is not None


def test_an_ordinary_tick_that_comes_twice_changes_nothing(tape: Tape) -> None:
    at = FRIDAY + seconds(1)
    first, again = tape.take(tick(103, at), at), tape.take(tick(103, at), at)
    assert first is not None and again is None and tape.newest(KEY) == first


def test_a_feed_that_repeats_one_tick_grows_old(tape: Tape) -> None:
    assert tape.take(tick(100, FRIDAY), FRIDAY + seconds(9)) is None
    newest = tape.newest(KEY)
    assert newest is not None and newest.age_s(FRIDAY + seconds(9)) == 9 and tape.repeats == 1
    assert tape.unheard([KEY, "NFO:Y"], FRIDAY + seconds(1)) == {KEY, "NFO:Y"} and tape.unheard([KEY], FRIDAY) == set()


def test_a_repeated_tick_does_not_displace_what_rest_said_since(tape: Tape) -> None:
    tape.settle(quote(KEY, "120", FRIDAY + seconds(5), Source.REST))
    assert tape.take(tick(100, FRIDAY), FRIDAY + seconds(6)) is None
    newest = tape.newest(KEY)
    assert newest is not None and newest.last_price == 120


def test_the_same_price_with_a_new_stamp_a_moved_book_or_more_volume_is_a_new_look(tape: Tape) -> None:
    later = tape.take(tick(100, FRIDAY + seconds(1)), FRIDAY + seconds(1))
    assert later is not None and later.received_at == FRIDAY + seconds(1)
    one, two = (Book(Decimal(99), Decimal(101), 65, units) for units in (65, 130))
    stamp = FRIDAY + seconds(1)
    looks = [
        Partial(KEY, Decimal(100), book=book, volume=volume, exchange_at=stamp) for book, volume in ((one, 1), (two, 1), (two, 2))
    ]
    assert [tape.take(look, FRIDAY + seconds(2)) is not None for look in (*looks, looks[-1])] == [True, True, True, False]
