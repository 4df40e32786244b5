"""Is it time? Pure: the day, the clock and the calendar go in, one word comes out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from marketdata.domain.sessions import instant, local
from strategies.domain.drafts import ScheduleTerms

LOOK_AHEAD_DAYS: Final = 31


class Due(StrEnum):
    NOT_THIS_DAY = "NOT_THIS_DAY"
    EARLY = "EARLY"
    NOW = "NOW"
    LATE = "LATE"


def opens_at(terms: ScheduleTerms, day: date) -> datetime:
    return instant(day, terms.entry)


def closes_at(terms: ScheduleTerms, day: date) -> datetime:
    """The latest entry time of a day; at this instant it is too late."""
    return instant(day, terms.latest)


def next_opening(terms: ScheduleTerms, now: datetime, has_session: Callable[[date], bool]) -> datetime | None:
    """When the window opens next on a weekday of its with a session, within a month. Filters on expiry are not asked."""
    for ahead in range(LOOK_AHEAD_DAYS):
        day = local(now).date() + timedelta(days=ahead)
        if day.weekday() in terms.weekdays and opens_at(terms, day) > now and has_session(day):
            return opens_at(terms, day)
    return None


def due(terms: ScheduleTerms, day: date, now: datetime, *, since: datetime, has_session: bool, days_to_expiry: int | None) -> Due:
    """`since`: when the schedule was switched on; a window that was already over then is nobody's. `day` is in India.

    `days_to_expiry` None is unknown, which passes only where no filter asks.
    """
    if not has_session or day.weekday() not in terms.weekdays or closes_at(terms, day) <= since:
        return Due.NOT_THIS_DAY
    if not _distance_fits(terms, days_to_expiry):
        return Due.NOT_THIS_DAY
    if now < opens_at(terms, day):
        return Due.EARLY
    return Due.NOW if now < closes_at(terms, day) else Due.LATE


def _distance_fits(terms: ScheduleTerms, days: int | None) -> bool:
    low, high = terms.days_to_expiry_min, terms.days_to_expiry_max
    if low is None and high is None:
        return True
    return days is not None and (low is None or days >= low) and (high is None or days <= high)
