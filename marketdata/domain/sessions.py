"""When an exchange is open. A special session decides its date alone, else a holiday closes, else the week decides."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

from algomirror.kernel.clock import IST

Reason = Literal["OPEN", "BEFORE_OPEN", "AFTER_CLOSE", "HOLIDAY", "NO_SESSION"]

# How far ahead a next opening is looked for; no Indian market stays shut for a month.
LOOK_AHEAD_DAYS = 45
# A time of day cannot say 24:00, so the last second of a day means its end.
END_OF_DAY = time(23, 59, 59)

CASH_OF_INDEX = {"NSE_INDEX": "NSE", "BSE_INDEX": "BSE"}


@dataclass(frozen=True, slots=True)
class WeeklyHours:
    exchange: str
    weekday: int  # Monday is 0
    opens: time
    closes: time
    effective_from: date
    effective_to: date | None


@dataclass(frozen=True, slots=True)
class ClosedDay:
    exchange: str
    date: date
    name: str
    kind: str  # TRADING, SETTLEMENT or BOTH; a settlement holiday does not close the market


@dataclass(frozen=True, slots=True)
class SpecialHours:
    exchange: str
    date: date
    name: str
    opens: time
    closes: time
    confirmed: bool = True


@dataclass(frozen=True, slots=True)
class Window:
    """One session as instants in UTC, the close excluded."""

    opens_at: datetime
    closes_at: datetime
    name: str = ""


@dataclass(frozen=True, slots=True)
class MarketState:
    """What one exchange does at one instant.

    `opens_at` and `closes_at` are those of the running session, else of the day's next one, else of its last;
    None when the date has none. `name` is the holiday's or the special session's. `covered` False means that no
    holiday list is known for the date: whoever wants to enter must be denied.
    """

    exchange: str
    is_open: bool
    opens_at: datetime | None
    closes_at: datetime | None
    reason: Reason
    name: str
    next_opens_at: datetime | None
    covered: bool


class Sessions:
    """The dated rows of all exchanges, indexed for questions."""

    def __init__(self, hours: Iterable[WeeklyHours], holidays: Iterable[ClosedDay], specials: Iterable[SpecialHours]) -> None:
        self._hours: dict[tuple[str, int], list[WeeklyHours]] = defaultdict(list)
        for row in hours:
            self._hours[row.exchange, row.weekday].append(row)
        for rows in self._hours.values():
            rows.sort(key=lambda h: h.effective_from, reverse=True)
        self._holidays = {(h.exchange, h.date): h for h in holidays}
        self._years = {(h.exchange, h.date.year) for h in self._holidays.values()}
        self._specials: dict[tuple[str, date], list[SpecialHours]] = defaultdict(list)
        for special in specials:
            self._specials[special.exchange, special.date].append(special)
        # The same few days are asked for again and again.
        self._windows: dict[tuple[str, date], list[Window]] = {}

    def windows(self, exchange: str, day: date) -> list[Window]:
        """The sessions of a date, earliest first; empty when closed. Not to be changed."""
        found = self._windows.get((exchange, day))
        if found is None:
            found = self._windows[exchange, day] = self._found(exchange, day)
        return found

    def _found(self, exchange: str, day: date) -> list[Window]:
        if specials := self._specials.get((exchange, day)):
            return sorted((_window(day, s.opens, s.closes, s.name) for s in specials), key=lambda w: w.opens_at)
        if self.holiday(exchange, day):
            return []
        for row in self._hours.get((exchange, day.weekday()), ()):
            if row.effective_from <= day and (row.effective_to is None or day <= row.effective_to):
                return [_window(day, row.opens, row.closes)]
        return []

    def holiday(self, exchange: str, day: date) -> ClosedDay | None:
        row = self._holidays.get((exchange, day))
        return row if row and row.kind in ("TRADING", "BOTH") else None

    def covered(self, exchange: str, day: date) -> bool:
        return (exchange, day) in self._specials or (exchange, day.year) in self._years

    def close_of(self, exchange: str, day: date) -> datetime | None:
        """The last close of a date; None when the exchange has no session on it."""
        found = self.windows(exchange, day)
        return max(w.closes_at for w in found) if found else None

    def next_open(self, exchange: str, after: datetime) -> datetime | None:
        first = after.astimezone(IST).date()
        for ahead in range(LOOK_AHEAD_DAYS):
            for window in self.windows(exchange, first + timedelta(days=ahead)):
                if window.opens_at > after:
                    return window.opens_at
        return None

    def state(self, exchange: str, now: datetime) -> MarketState:
        day = now.astimezone(IST).date()
        found = self.windows(exchange, day)
        running = next((w for w in found if w.opens_at <= now < w.closes_at), None)
        coming = next((w for w in found if w.opens_at > now), None)
        shown = running or coming or (found[-1] if found else None)
        holiday = None if found else self.holiday(exchange, day)
        reason: Reason = "HOLIDAY" if holiday else "NO_SESSION"
        if shown:
            reason = "OPEN" if running else "BEFORE_OPEN" if coming else "AFTER_CLOSE"
        return MarketState(
            exchange=exchange,
            is_open=running is not None,
            opens_at=shown.opens_at if shown else None,
            closes_at=shown.closes_at if shown else None,
            reason=reason,
            name=holiday.name if holiday else shown.name if shown else "",
            next_opens_at=self.next_open(exchange, now),
            covered=self.covered(exchange, day),
        )


def _window(day: date, opens: time, closes: time, name: str = "") -> Window:
    end = datetime.combine(day + timedelta(days=1), time(), IST) if closes >= END_OF_DAY else datetime.combine(day, closes, IST)
    return Window(datetime.combine(day, opens, IST).astimezone(UTC), end.astimezone(UTC), name)


def instant(day: date, at: time) -> datetime:
    """A time of day in India as an instant in UTC."""
    return datetime.combine(day, at, IST).astimezone(UTC)


def trading_exchange(exchange: str) -> str:
    """The exchange whose sessions an instrument of `exchange` follows: an index follows its cash market."""
    return CASH_OF_INDEX.get(exchange, exchange)


def local(at: datetime) -> datetime:
    """The same instant on India's clock; for rules that speak of hours and weekdays."""
    return at.astimezone(IST)
