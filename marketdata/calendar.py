"""The one answer to "is it open?". Rows are held for at most a second, and dropped at once by an edit in this process."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from accounts.models import Account
from algomirror.kernel import clock
from algomirror.ops import sight
from marketdata.domain.cutoffs import CutoffRow, Cutoffs
from marketdata.domain.sessions import ClosedDay, MarketState, Sessions, SpecialHours, WeeklyHours, trading_exchange
from marketdata.models import Holiday, MisCutoff, SpecialSession, TradingHours

EXCHANGES = ("NSE", "BSE", "NFO", "BFO")
HELD_S = 1.0

_held: tuple[float, Sessions] | None = None
_held_cutoffs: tuple[float, Cutoffs] | None = None


def forget() -> None:
    """Call after an edit of hours, holidays, special sessions or cut-offs."""
    global _held, _held_cutoffs
    _held = _held_cutoffs = None


def sessions() -> Sessions:
    global _held
    now = clock.monotonic()
    if _held and 0 <= now - _held[0] < HELD_S:
        return _held[1]
    loaded = Sessions(
        (
            WeeklyHours(*row)
            for row in TradingHours.objects.values_list(
                "exchange", "weekday", "opens", "closes", "effective_from", "effective_to"
            )
        ),
        (ClosedDay(*row) for row in Holiday.objects.filter(retired_at=None).values_list("exchange", "date", "name", "kind")),
        (
            SpecialHours(*row)
            for row in SpecialSession.objects.filter(retired_at=None).values_list(
                "exchange", "date", "name", "opens", "closes", "confirmed"
            )
        ),
    )
    _held = (now, loaded)
    return loaded


def cutoffs() -> Cutoffs:
    global _held_cutoffs
    now = clock.monotonic()
    if _held_cutoffs and 0 <= now - _held_cutoffs[0] < HELD_S:
        return _held_cutoffs[1]
    # What is held serves everybody, so it is not read with the eyes of whoever asks first.
    with sight.whole():
        rows = [
            CutoffRow(*row)
            for row in MisCutoff.objects.values_list("exchange", "broker", "account_id", "at", "effective_from", "effective_to")
        ]
        brokers = dict(Account.objects.values_list("pk", "broker")) if any(row.broker for row in rows) else {}
    loaded = Cutoffs(rows, brokers)
    _held_cutoffs = (now, loaded)
    return loaded


def market_state(exchange: str, at: datetime | None = None) -> MarketState:
    return sessions().state(trading_exchange(exchange), at or clock.now())


def is_open(exchange: str, at: datetime | None = None) -> bool:
    return market_state(exchange, at).is_open


def is_surely_closed(exchange: str, at: datetime) -> bool:
    """False also where the calendar does not reach: nobody knows."""
    state = market_state(exchange, at)
    return state.covered and not state.is_open


def session_close(exchange: str, day: date) -> datetime | None:
    """The instant of the last close of a date; None when there is no session."""
    return sessions().close_of(trading_exchange(exchange), day)


def coverage_end(exchange: str, *, days: int = 400) -> date | None:
    """The last date, counted from today without a gap, whose holidays are known; None when today's are not."""
    known, today, last = sessions(), clock.today(), None
    for ahead in range(days + 1):
        day = today + timedelta(days=ahead)
        if not known.covered(trading_exchange(exchange), day):
            break
        last = day
    return last


def covered(days: int) -> bool:
    """True when holiday data reaches `days` beyond today on every exchange we trade."""
    until = clock.today() + timedelta(days=days)
    ends = [coverage_end(exchange, days=days) for exchange in EXCHANGES]
    return all(end is not None and end >= until for end in ends)
