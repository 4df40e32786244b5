"""What the calendar page shows of one exchange, in a known number of queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time

from algomirror.kernel import clock
from marketdata import calendar, timetable
from marketdata.domain.sessions import END_OF_DAY, MarketState
from marketdata.forms_calendar import WEEKDAYS
from marketdata.models import CalendarProposal, Holiday, SpecialSession, TradingHours


@dataclass(frozen=True)
class WeekRow:
    """Hours of one weekday over a range of dates; `state` is past, now or coming."""

    row: TradingHours
    weekday: str
    state: str
    closes: str


@dataclass(frozen=True)
class CalendarPage:
    state: MarketState
    covered_to: date | None
    uncovered: dict[str, date | None]
    hours: list[WeekRow]
    holidays: list[Holiday]
    specials: list[SpecialSession]
    retired: list[Holiday | SpecialSession]
    proposals: list[CalendarProposal]
    today: date


def calendar_page(exchange: str, now: datetime) -> CalendarPage:
    today = now.astimezone(clock.IST).date()
    holidays = list(Holiday.objects.filter(exchange=exchange))
    specials = list(SpecialSession.objects.filter(exchange=exchange))
    retired: list[Holiday | SpecialSession] = [row for row in holidays if row.retired_at is not None]
    retired += [row for row in specials if row.retired_at is not None]
    hours = TradingHours.objects.filter(exchange=exchange).order_by("-effective_from", "weekday")
    return CalendarPage(
        state=calendar.market_state(exchange, now),
        covered_to=calendar.coverage_end(exchange),
        uncovered=timetable.uncovered(),
        hours=[WeekRow(row, WEEKDAYS[row.weekday], _state(row, today), close_text(row.closes)) for row in hours],
        holidays=[row for row in holidays if row.retired_at is None],
        specials=[row for row in specials if row.retired_at is None],
        retired=retired,
        proposals=list(CalendarProposal.objects.filter(state=CalendarProposal.State.OPEN)[:10]),
        today=today,
    )


def _state(row: TradingHours, today: date) -> str:
    if row.effective_to is not None and row.effective_to < today:
        return "past"
    return "coming" if row.effective_from > today else "now"


def close_text(closes: time) -> str:
    """A close at the last second of the day is midnight."""
    return "24:00" if closes >= END_OF_DAY else f"{closes:%H:%M}"
