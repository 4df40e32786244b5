"""Candles of any length out of one-minute candles, anchored at the session's open: 09:15, 09:15 + n, and so on.

The last candle of a session ends at its close. What was not seen is not invented: a candle says how much of its
time was watched, and a combined premium without all its legs is no candle.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from marketdata.domain.sessions import Window

TIMEFRAMES = (1, 3, 5, 10, 15)
MINUTE = timedelta(minutes=1)
# A leg that did not trade for longer than this has no price that a decision may stand on.
MOST_CARRIED = 3
TICKS, HISTORY, MIXED = "TICKS", "HISTORY", "MIXED"


@dataclass(frozen=True, slots=True)
class Minute:
    """Rupees per unit. `covered_s` counts the seconds of the minute in which the stream was watched."""

    at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int | None
    open_interest: int | None
    source: str
    covered_s: int


@dataclass(frozen=True, slots=True)
class Candle:
    """`covered_percent` is of its time so far; `carried` counts leg-minutes that took the previous close."""

    opens_at: datetime
    closes_at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int | None
    source: str
    covered_percent: int
    is_closed: bool
    carried: int = 0


def slots(windows: Iterable[Window], timeframe: int) -> Iterator[tuple[datetime, datetime]]:
    """Start and end of every candle of these sessions."""
    width = timedelta(minutes=timeframe)
    for window in sorted(windows, key=lambda w: w.opens_at):
        start = window.opens_at
        while start < window.closes_at:
            yield start, min(start + width, window.closes_at)
            start += width


def aggregate(minutes: Iterable[Minute], windows: Iterable[Window], timeframe: int, now: datetime) -> list[Candle]:
    """Oldest first. A slot without a single minute has no candle; minutes outside the sessions do not count."""
    by_start = {minute.at: minute for minute in minutes}
    found = []
    for start, end in slots(windows, timeframe):
        if start > now:
            break
        inside = [by_start[at] for at in _minutes(start, end) if at in by_start]
        if inside:
            found.append(_candle(start, end, inside, now))
    return found


def _minutes(start: datetime, end: datetime) -> Iterator[datetime]:
    while start < end:
        yield start
        start += MINUTE


def _candle(start: datetime, end: datetime, inside: Sequence[Minute], now: datetime) -> Candle:
    volumes = [minute.volume for minute in inside if minute.volume is not None]
    return Candle(
        opens_at=start,
        closes_at=end,
        open=inside[0].open,
        high=max(minute.high for minute in inside),
        low=min(minute.low for minute in inside),
        close=inside[-1].close,
        volume=sum(volumes) if volumes else None,
        source=_source(minute.source for minute in inside),
        covered_percent=_covered(sum(minute.covered_s for minute in inside), start, end, now),
        is_closed=end <= now,
    )


def _source(sources: Iterable[str]) -> str:
    distinct = set(sources)
    return distinct.pop() if len(distinct) == 1 else MIXED


def _covered(seconds: int, start: datetime, end: datetime, now: datetime) -> int:
    lasted = (min(end, now) - start).total_seconds()
    return min(round(100 * seconds / lasted), 100) if lasted > 0 else 0


@dataclass(frozen=True, slots=True)
class _Moment:
    """The whole structure at one minute."""

    open: Decimal
    close: Decimal
    sources: frozenset[str]
    covered_s: int
    carried: int


def combine(
    legs: Mapping[str, Iterable[Minute]], weights: Mapping[str, Decimal], windows: Iterable[Window], timeframe: int, now: datetime
) -> list[Candle]:
    """Candles of the weighted sum of legs; a candle with a minute that cannot be known is left out.

    High and low are the extremes of the sums at minutes' opens and closes: the highs of legs do not coincide.
    A leg's missing minute takes its previous close, at most three in a row and never across sessions.
    """
    sessions = sorted(windows, key=lambda w: w.opens_at)
    rows = {key: {minute.at: minute for minute in minutes} for key, minutes in legs.items()}
    moments: dict[datetime, _Moment] = {}
    for window in sessions:
        moments.update(_moments(rows, weights, window, now))
    found = []
    for start, end in slots(sessions, timeframe):
        wanted = [at for at in _minutes(start, end) if at + MINUTE <= now]
        if not wanted or any(at not in moments for at in wanted):
            continue
        found.append(_premium(start, end, [moments[at] for at in wanted], now))
    return found


def _moments(
    rows: Mapping[str, Mapping[datetime, Minute]], weights: Mapping[str, Decimal], window: Window, now: datetime
) -> Iterator[tuple[datetime, _Moment]]:
    last: dict[str, Minute] = {}
    missed = dict.fromkeys(weights, 0)
    for at in _minutes(window.opens_at, window.closes_at):
        if at + MINUTE > now:
            return
        for key in weights:
            seen = rows.get(key, {}).get(at)
            missed[key] = 0 if seen else missed[key] + 1
            if seen:
                last[key] = seen
        if all(key in last and missed[key] <= MOST_CARRIED for key in weights):
            yield at, _moment(last, weights, missed)


def _moment(last: Mapping[str, Minute], weights: Mapping[str, Decimal], missed: Mapping[str, int]) -> _Moment:
    opens = sum((w * (last[k].close if missed[k] else last[k].open) for k, w in weights.items()), Decimal(0))
    return _Moment(
        open=opens,
        close=sum((w * last[k].close for k, w in weights.items()), Decimal(0)),
        sources=frozenset(last[k].source for k in weights),
        covered_s=min((0 if missed[k] else last[k].covered_s) for k in weights),
        carried=sum(1 for k in weights if missed[k]),
    )


def _premium(start: datetime, end: datetime, inside: Sequence[_Moment], now: datetime) -> Candle:
    values = [value for moment in inside for value in (moment.open, moment.close)]
    return Candle(
        opens_at=start,
        closes_at=end,
        open=inside[0].open,
        high=max(values),
        low=min(values),
        close=inside[-1].close,
        volume=None,
        source=_source(source for moment in inside for source in moment.sources),
        covered_percent=_covered(sum(moment.covered_s for moment in inside), start, end, now),
        is_closed=end <= now,
        carried=sum(moment.carried for moment in inside),
    )
