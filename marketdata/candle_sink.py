"""Builds one-minute candles out of the feed's quotes. The stream hands over each; this thread writes what is over."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from threading import Event, Lock, Thread

from django.db import close_old_connections, connection

from algomirror.kernel import clock
from algomirror.kernel.money import to_paisa
from marketdata import calendar
from marketdata.domain.quotes import Quote
from marketdata.models import Candle1m

log = logging.getLogger(__name__)

EVERY_S = 1.0
# A minute is closed when nothing of it can still arrive.
SETTLES_S = 2.0
MINUTE = timedelta(minutes=1)
CHUNK = 500
MOST_WAITING = 20_000


@dataclass(slots=True)
class _Forming:
    minute: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume_before: int | None
    volume: int | None
    open_interest: int | None

    def take(self, quote: Quote) -> None:
        self.close = quote.last_price
        self.high = max(self.high, quote.last_price)
        self.low = min(self.low, quote.last_price)
        if quote.volume is not None:
            self.volume = quote.volume
        if quote.open_interest is not None:
            self.open_interest = quote.open_interest


class CandleSink(Thread):
    def __init__(self, may_act: Callable[[], bool]) -> None:
        super().__init__(name="candles", daemon=True)
        self._may_act = may_act
        self._halt = Event()
        self._lock = Lock()
        self._forming: dict[str, _Forming] = {}
        self._over: list[tuple[str, _Forming]] = []
        self._watched_since: dict[str, datetime] = {}
        self._volumes: dict[str, int] = {}
        self._live: dict[datetime, set[int]] = {}
        self._day = clock.trading_day()

    def stop(self) -> None:
        self._halt.set()

    def run(self) -> None:
        with closing(connection):
            while not self._halt.wait(EVERY_S):
                try:
                    self.turn()
                except Exception:
                    log.exception("candle sink failed")
                close_old_connections()

    def take(self, quote: Quote) -> None:
        """One accepted quote; cheap, and never raises. Called from the threads of the stream and of the asker."""
        with self._lock:
            self._take(quote)

    def _take(self, quote: Quote) -> None:
        at = quote.received_at
        minute = at.replace(second=0, microsecond=0)
        self._live.setdefault(minute, set()).add(at.second)
        self._watched_since.setdefault(quote.key, at)
        forming = self._forming.get(quote.key)
        if forming is not None and forming.minute == minute:
            forming.take(quote)
            return
        if forming is not None:
            if minute < forming.minute:
                return
            self._finish(quote.key, forming)
        price, before = quote.last_price, self._volumes.get(quote.key)
        self._forming[quote.key] = _Forming(minute, price, price, price, price, before, quote.volume, quote.open_interest)

    def _finish(self, key: str, forming: _Forming) -> None:
        if forming.volume is not None:
            self._volumes[key] = forming.volume
        self._over.append((key, forming))

    def turn(self, now: datetime | None = None) -> int:
        """Write the minutes that are over; how many rows were given to the database."""
        now = now or clock.now()
        settled = now - timedelta(seconds=SETTLES_S)
        with self._lock:
            for key, forming in list(self._forming.items()):
                if forming.minute + MINUTE <= settled:
                    self._finish(key, self._forming.pop(key))
            over, self._over = self._over, []
            covered = [self._covered(key, forming.minute) for key, forming in over]
            self._forget(now)
        try:
            # Calendar and database may take their time: the stream's thread does not wait for them.
            rows = [row for (key, forming), s in zip(over, covered, strict=True) if (row := _row(key, forming, s)) is not None]
            if not rows or not self._may_act():
                return 0
            # A minute that another process or the broker's history has written is not made worse.
            Candle1m.objects.bulk_create(rows, batch_size=CHUNK, ignore_conflicts=True)
        except Exception:
            with self._lock:
                self._over = [*over, *self._over][-MOST_WAITING:]
            raise
        return len(rows)

    def _covered(self, key: str, minute: datetime) -> int:
        """Seconds in which the stream said anything, since this symbol is watched: a quiet strike is covered too."""
        since = self._watched_since.get(key, minute)
        first = 0 if since < minute else since.second
        return sum(1 for second in self._live.get(minute, ()) if second >= first)

    def _forget(self, now: datetime) -> None:
        kept = now - 10 * MINUTE
        for minute in [minute for minute in self._live if minute < kept]:
            del self._live[minute]
        if (day := clock.trading_day(now)) != self._day:
            self._day = day
            self._volumes.clear()
            self._watched_since.clear()


def _row(key: str, forming: _Forming, covered_s: int) -> Candle1m | None:
    """None for a minute in which the instrument's market was not open."""
    if not calendar.is_open(key.partition(":")[0], forming.minute):
        return None
    return Candle1m(
        key=key,
        minute=forming.minute,
        open=to_paisa(forming.open),
        high=to_paisa(forming.high),
        low=to_paisa(forming.low),
        close=to_paisa(forming.close),
        volume=_traded(forming),
        open_interest=forming.open_interest,
        source=Candle1m.Source.TICKS,
        covered_s=covered_s,
    )


def _traded(forming: _Forming) -> int | None:
    """Units of this minute: the day's total now less that of the minute before, None when either is not known."""
    if forming.volume is None or forming.volume_before is None or forming.volume < forming.volume_before:
        return None
    return forming.volume - forming.volume_before
