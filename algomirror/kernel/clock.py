"""The one clock. Everything that asks for the time asks here."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from functools import partial
from typing import Protocol
from zoneinfo import ZoneInfo

IST = ZoneInfo("Asia/Kolkata")

# Brokers close their books and tokens about 03:00 IST; an order id is unique within that day.
BROKER_DAY_STARTS = timedelta(hours=3)


class Clock(Protocol):
    def now(self) -> datetime: ...

    def monotonic(self) -> float: ...


class SystemClock:
    """Wall time in aware UTC, shifted by a fixed offset for rehearsals on another date."""

    now: Callable[[], datetime]
    monotonic: Callable[[], float]

    def __init__(self, offset: timedelta = timedelta()) -> None:
        # Asked a hundred times in an account's turn: the interpreter's own, with nothing of ours between.
        self.now = partial(datetime.now, UTC) if not offset else lambda: datetime.now(UTC) + offset
        self.monotonic = time.monotonic


class FrozenClock:
    """A clock for tests: stands still until told to move."""

    def __init__(self, at: datetime) -> None:
        if at.tzinfo is None:
            raise ValueError("FrozenClock needs an aware datetime")
        self._now = at.astimezone(UTC)
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def set(self, at: datetime) -> None:
        self._now = at.astimezone(UTC)


def _from_environment() -> Clock:
    return SystemClock(timedelta(seconds=float(os.environ.get("ALGOMIRROR_CLOCK_OFFSET_S", "0"))))


_clock: Clock = _from_environment()


def now() -> datetime:
    """The present as aware UTC."""
    return _clock.now()


def current() -> Clock:
    """The clock that is asked now."""
    return _clock


def ahead_s() -> float:
    """Seconds by which this clock runs ahead of the machine's: not 0 in rehearsals on another date only."""
    return round((now() - datetime.now(UTC)).total_seconds(), 1) + 0.0


def monotonic() -> float:
    """Seconds on a clock that never goes back; for measuring waits only."""
    return _clock.monotonic()


def today() -> date:
    """The date in India."""
    return now().astimezone(IST).date()


def start_of(day: date) -> datetime:
    """The first instant of a date in India, as aware UTC."""
    return datetime.combine(day, time_of_day(), tzinfo=IST).astimezone(UTC)


def of_india(wall: datetime) -> datetime:
    """The moment a clock on a wall in India shows, which names no zone."""
    return wall.replace(tzinfo=IST).astimezone(UTC)


def trading_day(at: datetime | None = None) -> date:
    """The broker's book day (IST, turning over at 03:00) in which `at` falls."""
    return ((at or now()).astimezone(IST) - BROKER_DAY_STARTS).date()


@contextmanager
def use(clock: Clock) -> Iterator[Clock]:
    """Run with another clock; for tests and replay."""
    global _clock
    before, _clock = _clock, clock
    try:
        yield clock
    finally:
        _clock = before
