"""Stored minutes and the series made of them: what charts show is what Supertrend decides on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db.models import Max

from algomirror.kernel import clock
from marketdata import calendar
from marketdata.domain import candles
from marketdata.domain.candles import Candle, Minute
from marketdata.domain.sessions import Window, trading_exchange
from marketdata.models import Candle1m

MOST_DAYS = 5
# Holidays and weekends never take so many days in a row.
LOOK_BACK_DAYS = 30
KEPT_DAYS = 15
_COLUMNS = ("minute", "open", "high", "low", "close", "volume", "open_interest", "source", "covered_s")


def windows(exchange: str, days: int, now: datetime) -> list[Window]:
    """The sessions of the last `days` trading days that have begun, oldest first."""
    known, market = calendar.sessions(), trading_exchange(exchange)
    today, found = now.astimezone(clock.IST).date(), 0
    sessions: list[Window] = []
    for back in range(LOOK_BACK_DAYS):
        begun = [w for w in known.windows(market, today - timedelta(days=back)) if w.opens_at <= now]
        if begun:
            sessions += begun
            found += 1
        if found >= min(days, MOST_DAYS):
            break
    return sorted(sessions, key=lambda w: w.opens_at)


def minutes(keys: Iterable[str], since: datetime, until: datetime) -> dict[str, list[Minute]]:
    """One query."""
    wanted = list(dict.fromkeys(keys))
    found: dict[str, list[Minute]] = {key: [] for key in wanted}
    rows = Candle1m.objects.filter(key__in=wanted, minute__gte=since, minute__lt=until).order_by("minute")
    for key, *columns in rows.values_list("key", *_COLUMNS):
        found[key].append(Minute(*columns))
    return found


def known_until(keys: Iterable[str], now: datetime) -> datetime | None:
    """Until when every one of these instruments is known, in one query; None while one of them has no minute at all."""
    wanted = set(keys)
    found = Candle1m.objects.filter(key__in=wanted, minute__lte=now).values_list("key").annotate(newest=Max("minute"))
    newest = [minute for _, minute in found.order_by("key")]
    return min(min(newest) + candles.MINUTE, now) if wanted and len(newest) == len(wanted) else None


def series(key: str, timeframe: int, days: int, now: datetime) -> list[Candle]:
    """Candles of one instrument over its last trading days, oldest first; the last one may still be forming."""
    sessions = windows(key.partition(":")[0], days, now)
    if not sessions:
        return []
    return candles.aggregate(minutes([key], sessions[0].opens_at, now)[key], sessions, timeframe, now)


def premium(weights: Mapping[str, Decimal], timeframe: int, days: int, now: datetime) -> list[Candle]:
    """Candles of the weighted sum of legs. All legs must trade on one exchange's hours."""
    sessions = windows(next(iter(weights)).partition(":")[0], days, now)
    if not sessions:
        return []
    return candles.combine(minutes(weights, sessions[0].opens_at, now), weights, sessions, timeframe, now)


def forget_old(today: date) -> int:
    """Delete minutes that no series reaches any more."""
    before = datetime.combine(today - timedelta(days=KEPT_DAYS), datetime.min.time(), clock.IST)
    return Candle1m.objects.filter(minute__lt=before).delete()[0]
