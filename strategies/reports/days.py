"""Which day a report is of, when that day closed, and at which prices."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from algomirror.kernel import clock
from marketdata import calendar, candles
from marketdata.domain.candles import MINUTE
from marketdata.domain.sessions import trading_exchange
from strategies.domain.curve import CARRIED

# Where this product trades; a day is a day of one of them.
EXCHANGES: Final = ("NFO", "BFO")
# Holidays and weekends never take so many days in a row.
LOOK_BACK_DAYS: Final = 10


def newest_day(now: datetime) -> date:
    """The last date on which a session of EXCHANGES has begun; today while the calendar knows none."""
    known, today = calendar.sessions(), clock.trading_day(now)
    for back in range(LOOK_BACK_DAYS):
        day = today - timedelta(days=back)
        if any(window.opens_at <= now for exchange in EXCHANGES for window in known.windows(exchange, day)):
            return day
    return today


def newest_closed_day(now: datetime, wait: timedelta) -> date | None:
    """The last date of which one exchange has been closed for `wait`; None while the calendar knows none."""
    for back in range(LOOK_BACK_DAYS):
        day = clock.trading_day(now) - timedelta(days=back)
        closes = [close for exchange in EXCHANGES if (close := calendar.session_close(exchange, day)) is not None]
        if closes and min(closes) + wait <= now:
            return day
    return None


def close_of(exchanges: Iterable[str], day: date) -> datetime | None:
    """The last close of the day among these exchanges; None when none of them had a session."""
    closes = [calendar.session_close(trading_exchange(exchange), day) for exchange in set(exchanges)]
    return max((close for close in closes if close is not None), default=None)


def marks(keys: Iterable[str], day: date, now: datetime) -> dict[str, tuple[datetime, Decimal]]:
    """The last minute of each instrument before its exchange's close: the minute's end, and rupees per unit.

    Absent, and so unknown: no minute in the last CARRIED before the close (minutes are kept for `candles.KEPT_DAYS`), no
    session, or one that goes on. One query.
    """
    closes: dict[str, datetime] = {}
    for key in set(keys):
        close = close_of([key.partition(":")[0]], day)
        if close is not None and close <= now:
            closes[key] = close
    if not closes:
        return {}
    found = candles.minutes(closes, min(closes.values()) - CARRIED - MINUTE, max(closes.values()))
    return {
        key: (inside[-1].at + MINUTE, inside[-1].close)
        for key, rows in found.items()
        if (inside := [row for row in rows if closes[key] - CARRIED <= row.at + MINUTE <= closes[key]])
    }
