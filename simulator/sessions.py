"""Holidays, hours and the trading day. Facts of 20 Nov 2026; 2027 is not loaded."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from simulator.clock import IST

EQUITY_AND_FO = ("NSE", "BSE", "NFO", "BFO", "CDS", "BCD")

# date: (name, does the commodity exchange open in the evening)
HOLIDAYS: dict[date, tuple[str, bool]] = {
    date(2025, 2, 26): ("Mahashivratri", True),
    date(2025, 3, 14): ("Holi", True),
    date(2025, 3, 31): ("Id-Ul-Fitr", True),
    date(2025, 4, 10): ("Shri Mahavir Jayanti", True),
    date(2025, 4, 14): ("Dr. Baba Saheb Ambedkar Jayanti", True),
    date(2025, 4, 18): ("Good Friday", False),
    date(2025, 5, 1): ("Maharashtra Day", True),
    date(2025, 8, 15): ("Independence Day", False),
    date(2025, 8, 27): ("Ganesh Chaturthi", True),
    date(2025, 10, 2): ("Mahatma Gandhi Jayanti", False),
    date(2025, 10, 21): ("Diwali Laxmi Pujan", True),
    date(2025, 10, 22): ("Diwali Balipratipada", True),
    date(2025, 11, 5): ("Prakash Gurpurb Sri Guru Nanak Dev", True),
    date(2025, 12, 25): ("Christmas", False),
    date(2026, 1, 15): ("Municipal Corporation Election - Maharashtra", True),
    date(2026, 1, 26): ("Republic Day", False),
    date(2026, 3, 3): ("Holi", True),
    date(2026, 3, 26): ("Shri Ram Navami", True),
    date(2026, 3, 31): ("Shri Mahavir Jayanti", True),
    date(2026, 4, 3): ("Good Friday", False),
    date(2026, 4, 14): ("Dr. Baba Saheb Ambedkar Jayanti", True),
    date(2026, 5, 1): ("Maharashtra Day", True),
    date(2026, 5, 28): ("Bakri Id", True),
    date(2026, 6, 26): ("Muharram", True),
    date(2026, 9, 14): ("Ganesh Chaturthi", True),
    date(2026, 10, 2): ("Mahatma Gandhi Jayanti", False),
    date(2026, 10, 20): ("Dussehra", True),
    date(2026, 11, 10): ("Diwali Balipratipada", True),
    date(2026, 11, 24): ("Prakash Gurpurb Sri Guru Nanak Dev", True),
    date(2026, 12, 25): ("Christmas", False),
}


@dataclass(frozen=True, slots=True)
class Special:
    """A session outside the weekly rhythm. `in_server_calendar` is False where the real server lacks it."""

    name: str
    opens: time
    closes: time
    in_server_calendar: bool


SPECIALS: dict[date, Special] = {
    date(2025, 10, 21): Special("Diwali Laxmi Pujan (Muhurat Trading)", time(13, 45), time(14, 45), True),
    date(2026, 2, 1): Special("Union Budget", time(9, 15), time(15, 30), False),
    date(2026, 11, 8): Special("Diwali Laxmi Pujan (Muhurat Trading)", time(18, 0), time(19, 15), True),
}

LONGER_DAY_SINCE = date(2026, 8, 3)
MIS_OPENS = time(9, 0)
MIS_CLOSES = time(15, 15)
BOOKS_ROLL_AT = time(3, 0)


def is_trading_day(day: date) -> bool:
    """A day with a full session: expiries fall only on these (a Muhurat hour is not one)."""
    special = SPECIALS.get(day)
    if special is not None and special.opens == time(9, 15):
        return True
    return day.weekday() < 5 and day not in HOLIDAYS


def previous_trading_day(day: date) -> date:
    """The last trading day strictly before `day`."""
    day -= timedelta(days=1)
    while not is_trading_day(day):
        day -= timedelta(days=1)
    return day


def trading_day_on_or_before(day: date) -> date:
    return day if is_trading_day(day) else previous_trading_day(day)


def session(day: date) -> tuple[datetime, datetime] | None:
    """Open and close of the derivatives session of that day, or None when there is none."""
    special = SPECIALS.get(day)
    if special is not None:
        return _at(day, special.opens), _at(day, special.closes)
    if not is_trading_day(day):
        return None
    closes = time(15, 40) if day >= LONGER_DAY_SINCE else time(15, 30)
    return _at(day, time(9, 15)), _at(day, closes)


def is_open(now: datetime) -> bool:
    hours = session(now.astimezone(IST).date())
    return hours is not None and hours[0] <= now < hours[1]


def expiry_moment(day: date) -> datetime:
    """When contracts of that expiry stop trading."""
    hours = session(day)
    return hours[1] if hours is not None else _at(day, time(15, 40))


def books_since(now: datetime, roll_at: time = BOOKS_ROLL_AT) -> datetime:
    """Start of the broker's book day (03:00 IST unless it says otherwise) that `now` belongs to."""
    local = now.astimezone(IST)
    start = _at(local.date(), roll_at)
    return start if local >= start else start - timedelta(days=1)


def mis_allowed(now: datetime) -> bool:
    return MIS_OPENS <= now.astimezone(IST).time() < MIS_CLOSES


def _at(day: date, clock: time) -> datetime:
    return datetime.combine(day, clock, IST)
