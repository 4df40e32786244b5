from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from threading import Thread
from typing import Any

import pytest
from django.db import OperationalError, connection

from algomirror.kernel import clock
from marketdata import calendar
from marketdata.candle_sink import CandleSink
from marketdata.models import Candle1m
from marketdata.reference.load import load
from tests.marketdata.cast import ist, quote
from tests.patience import PATIENCE_S

KEY = "NFO:NIFTY01DEC2626000CE"
START = ist(2026, 11, 20, 10, 30)


@pytest.fixture(autouse=True)
def _friday(db: None) -> Iterator[None]:
    load(actor="test")
    with clock.use(clock.FrozenClock(START)):
        yield


@pytest.fixture
def sink() -> CandleSink:
    return CandleSink(lambda: True)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def feed(sink: CandleSink, *ticks: tuple[float, str], key: str = KEY, **more: Any) -> None:
    for seconds, price in ticks:
        sink.take(quote(key, price, at(seconds), **more))


def rows() -> list[tuple[datetime, str, str, str, str]]:
    found = Candle1m.objects.order_by("minute").values_list("minute", "open", "high", "low", "close")
    return [(minute, *map(str, prices)) for minute, *prices in found]  # type: ignore[misc]


def test_every_tick_counts_once_and_a_minute_is_written_two_seconds_after_its_end(sink: CandleSink) -> None:
    feed(sink, (0, "100"), (20, "108"), (40, "95"), (59.9, "101"), (60, "102"))
    assert sink.turn(at(61.9)) == 1, "the next minute's first tick closes this one"
    assert rows() == [(START, "100.00", "108.00", "95.00", "101.00")]
    assert sink.turn(at(121.9)) == 0
    assert sink.turn(at(122)) == 1
    assert rows()[1] == (at(60), "102.00", "102.00", "102.00", "102.00")


def test_a_minute_says_how_many_of_its_seconds_were_watched(sink: CandleSink) -> None:
    feed(sink, *((second, "25000") for second in range(120)), key="NSE_INDEX:NIFTY")
    feed(sink, (30.5, "100"), (70, "101"))
    sink.turn(at(130))
    covered = dict(Candle1m.objects.filter(key=KEY).values_list("minute", "covered_s"))
    assert covered == {START: 30, at(60): 60}, "watched since half a minute; a quiet strike is covered too"


def test_a_silent_stream_is_not_covered(sink: CandleSink) -> None:
    feed(sink, (0, "100"), (1, "100"), (62, "100"))
    sink.turn(at(130))
    assert list(Candle1m.objects.order_by("minute").values_list("covered_s", flat=True)) == [2, 1]


def test_volume_is_what_the_day_gained_in_the_minute_and_unknown_without_a_beginning(sink: CandleSink) -> None:
    for seconds, volume in ((0, 1000), (59, 1300), (60, 1400), (119, 1700), (120, 20)):
        feed(sink, (seconds, "100"), volume=volume, open_interest=volume * 2)
    sink.turn(at(190))
    found = Candle1m.objects.order_by("minute").values_list("volume", "open_interest")
    assert list(found) == [(None, 2600), (400, 3400), (None, 40)]


def test_what_comes_late_or_outside_the_session_is_left_out(sink: CandleSink) -> None:
    feed(sink, (0, "100"), (61, "101"), (59, "999"))
    sink.turn(at(130))
    assert [high for _, _, high, _, _ in rows()] == ["100.00", "101.00"]
    with clock.use(clock.FrozenClock(ist(2026, 11, 20, 15, 39))):
        for minute in (39, 40):
            sink.take(quote(KEY, "50", ist(2026, 11, 20, 15, minute)))
        sink.turn(ist(2026, 11, 20, 15, 50))
    assert Candle1m.objects.filter(minute__gte=ist(2026, 11, 20, 15, 30)).count() == 1


def test_a_standby_writes_nothing_and_a_written_minute_is_not_made_worse() -> None:
    standby = CandleSink(lambda: False)
    feed(standby, (0, "100"))
    assert standby.turn(at(70)) == 0 and rows() == []
    first, second = CandleSink(lambda: True), CandleSink(lambda: True)
    feed(first, (0, "100"), (30, "110"))
    feed(second, (30, "110"))
    first.turn(at(70))
    second.turn(at(70))
    assert rows() == [(START, "100.00", "110.00", "100.00", "110.00")]


def test_a_database_that_hangs_and_fails_holds_up_no_tick_and_loses_no_minute(sink: CandleSink) -> None:
    feed(sink, (0, "100"), (60, "102"))
    waited: list[bool] = []

    def hangs(*_: Any) -> Any:
        tick = Thread(target=feed, args=(sink, (61, "103")))
        tick.start()
        tick.join(PATIENCE_S)
        waited.append(tick.is_alive())
        raise OperationalError("gone away")

    calendar.forget()
    with connection.execute_wrapper(hangs), pytest.raises(OperationalError):
        sink.turn(at(70))
    assert waited == [False]
    assert sink.turn(at(71)) == 1
    assert rows() == [(START, "100.00", "100.00", "100.00", "100.00")]
