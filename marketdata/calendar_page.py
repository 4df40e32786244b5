"""What the calendar page shows of one exchange, in a known number of queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time

from django.conf import settings

from accounts.models import Account
from algomirror.kernel import clock
from marketdata import calendar, cutoffs, timetable
from marketdata.cutoffs import Cutoff
from marketdata.domain.sessions import END_OF_DAY, MarketState
from marketdata.forms_calendar import WEEKDAYS
from marketdata.models import CalendarProposal, Holiday, MisCutoff, SpecialSession, TradingHours


@dataclass(frozen=True)
class WeekRow:
    """Hours of one weekday over a range of dates; `state` is past, now or coming."""

    row: TradingHours
    weekday: str
    state: str
    closes: str


@dataclass(frozen=True)
class CutoffLine:
    row: MisCutoff
    state: str


@dataclass(frozen=True)
class InForce:
    """Of one account on the day shown. `source`: where the cut-off comes from."""

    account: Account
    cutoff: Cutoff
    source: str


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
    cutoffs: list[CutoffLine]
    cutoff_day: date | None
    in_force: list[InForce]
    today: date


def calendar_page(exchange: str, now: datetime) -> CalendarPage:
    today = now.astimezone(clock.IST).date()
    holidays = list(Holiday.objects.filter(exchange=exchange))
    specials = list(SpecialSession.objects.filter(exchange=exchange))
    retired: list[Holiday | SpecialSession] = [row for row in holidays if row.retired_at is not None]
    retired += [row for row in specials if row.retired_at is not None]
    hours = TradingHours.objects.filter(exchange=exchange).order_by("-effective_from", "weekday")
    state = calendar.market_state(exchange, now)
    day = _session_day(state, now)
    return CalendarPage(
        state=state,
        covered_to=calendar.coverage_end(exchange),
        uncovered=timetable.uncovered(),
        hours=[WeekRow(row, WEEKDAYS[row.weekday], _state(row, today), close_text(row.closes)) for row in hours],
        holidays=[row for row in holidays if row.retired_at is None],
        specials=[row for row in specials if row.retired_at is None],
        retired=retired,
        proposals=list(CalendarProposal.objects.filter(state=CalendarProposal.State.OPEN)[:10]),
        cutoffs=[
            CutoffLine(row, _state(row, today)) for row in MisCutoff.objects.filter(exchange=exchange).select_related("account")
        ],
        cutoff_day=day,
        in_force=_in_force(exchange, day),
        today=today,
    )


def _session_day(state: MarketState, now: datetime) -> date | None:
    """The day of the running session, else of the next one."""
    at = now if state.is_open else state.next_opens_at
    return None if at is None else clock.trading_day(at)


def _in_force(exchange: str, day: date | None) -> list[InForce]:
    if day is None:
        return []
    found = []
    for account in Account.objects.filter(archived_at=None):
        cutoff = cutoffs.of_account(exchange, day, account.pk)
        if cutoff is not None:
            found.append(InForce(account, cutoff, _source(cutoff)))
    return found


def _source(cutoff: Cutoff) -> str:
    row = cutoff.row
    if row is None:
        return f"{settings.MIS_CUTOFF_MIN} min before the close: no row covers it"
    return "its own row" if row.account_id is not None else "its broker's row" if row.broker else "the row for every broker"


def _state(row: TradingHours | MisCutoff, today: date) -> str:
    if row.effective_to is not None and row.effective_to < today:
        return "past"
    return "coming" if row.effective_from > today else "now"


def close_text(closes: time) -> str:
    """A close at the last second of the day is midnight."""
    return "24:00" if closes >= END_OF_DAY else f"{closes:%H:%M}"
