"""When a run leaves by the clock: instants from the calendar, never from a weekday rule."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final

from algomirror.kernel import clock
from marketdata.domain.sessions import Sessions, instant

LEAVE_BEFORE_CLOSE: Final = timedelta(minutes=1)
LEAVE_BEFORE_EXPIRY: Final = timedelta(minutes=15)
LOOK_AHEAD_DAYS: Final = 30
LOOK_BACK_DAYS: Final = 10


def exit_due(sessions: Sessions, exchange: str, at: time, started_at: datetime) -> datetime | None:
    """The first session in which this time of day comes after the start; at the latest a minute before its close."""
    return _first(sessions, exchange, at, started_at, LEAVE_BEFORE_CLOSE)


def square_off_due(sessions: Sessions, exchange: str, at: time | None, started_at: datetime) -> datetime | None:
    """Of a run that is carried: as typed, at the latest a minute before the close; None when nothing was typed."""
    return None if at is None else _first(sessions, exchange, at, started_at, LEAVE_BEFORE_CLOSE)


def mis_due(at: time | None, started_at: datetime, latest: datetime) -> datetime:
    """MIS leaves on the day it began, at `latest` at the latest, whatever was typed."""
    return latest if at is None else min(instant(clock.trading_day(started_at), at), latest)


def expiry_due(sessions: Sessions, exchange: str, day: date) -> datetime | None:
    """Before the last close on or before that day: what was to end on a day that became a holiday ends the session before."""
    closes = (sessions.close_of(exchange, day - timedelta(days=back)) for back in range(LOOK_BACK_DAYS))
    close = next((one for one in closes if one is not None), None)
    return None if close is None else close - LEAVE_BEFORE_EXPIRY


def _first(sessions: Sessions, exchange: str, at: time, after: datetime, before_close: timedelta) -> datetime | None:
    first = clock.trading_day(after)
    for ahead in range(LOOK_AHEAD_DAYS):
        day = first + timedelta(days=ahead)
        close = sessions.close_of(exchange, day)
        if close is None:
            continue
        due = min(instant(day, at), close - before_close)
        if due > after:
            return due
    return None
