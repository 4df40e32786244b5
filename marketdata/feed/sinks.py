"""Where accepted quotes go: guards at once, the store at most 66 times a second, browsers as soon.

A browser gets a symbol at most 5 times a second, always its newest price; a symbol that ticks slower is passed on at
once and waits for nobody's beat.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import closing
from threading import Condition, Event, Thread

from django.db import close_old_connections, connection

from algomirror.kernel import clock
from algomirror.ops import hooks
from algomirror.ops.push import push_ticks
from marketdata import quotes
from marketdata.domain.quotes import Quote
from marketdata.wire import ticks

log = logging.getLogger(__name__)

STORE_EVERY_S = 0.015
# The rest of a burst arrives meanwhile and goes out with its first tick.
GATHER_S = 0.004
IDLE_S = 0.25
SYMBOL_EVERY_S = 0.18
MARKET_EVERY_S = 1.0
COMPLAIN_EVERY_S = 30.0
MOST_REMEMBERED = 20_000


class Inbox:
    """Last value wins, per symbol; bounded by the number of symbols."""

    def __init__(self) -> None:
        self._quotes: dict[str, Quote] = {}
        self._filled = Condition()

    def put(self, quote: Quote) -> None:
        with self._filled:
            self._quotes[quote.key] = quote
            self._filled.notify()

    def put_back(self, batch: Iterable[Quote]) -> None:
        with self._filled:
            for quote in batch:
                self._quotes.setdefault(quote.key, quote)

    def wait(self, timeout_s: float) -> bool:
        """True when something is there, after at most this long."""
        with self._filled:
            return bool(self._quotes) or self._filled.wait(timeout_s)

    def take(self, timeout_s: float = 0.0) -> dict[str, Quote]:
        with self._filled:
            if not self._quotes and timeout_s:
                self._filled.wait(timeout_s)
            taken, self._quotes = self._quotes, {}
        return taken


class GuardSink(Thread):
    """Shows every batch to the guards, as soon as it arrives. A batch is what came while the last one was judged."""

    def __init__(self, may_act: Callable[[], bool]) -> None:
        super().__init__(name="guards", daemon=True)
        self.inbox = Inbox()
        self._slowest_ms = 0.0
        self._may_act = may_act
        self._halt = Event()
        self._complained_at = float("-inf")

    def stop(self) -> None:
        self._halt.set()

    def take_slowest_ms(self) -> float:
        """The longest judgement since the last question."""
        slowest, self._slowest_ms = self._slowest_ms, 0.0
        return slowest

    def run(self) -> None:
        with closing(connection):
            while not self._halt.is_set():
                batch = self.inbox.take(timeout_s=0.25)
                if not batch:
                    close_old_connections()
                    continue
                if self._may_act():
                    self._judge(batch)

    def _judge(self, batch: dict[str, Quote]) -> None:
        started = clock.monotonic()
        try:
            hooks.call("fast_guard", batch)
        except Exception:
            # The sweep judges the same prices from the store a second later.
            if started - self._complained_at > COMPLAIN_EVERY_S:
                self._complained_at = started
                log.exception("fast guard failed symbols=%s", len(batch))
        self._slowest_ms = max(self._slowest_ms, (clock.monotonic() - started) * 1000)


class StoreSink(Thread):
    """Writes the store and tells the browsers."""

    def __init__(self, may_act: Callable[[], bool]) -> None:
        super().__init__(name="store", daemon=True)
        self.inbox = Inbox()
        self.viewed: tuple[tuple[str, frozenset[str]], ...] = ()
        self.indices: frozenset[str] = frozenset()
        self.stored = 0
        self._may_act = may_act
        self._halt = Event()
        self._for_viewers: dict[str, Quote] = {}
        self._for_market: dict[str, Quote] = {}
        self._shown_at: dict[str, float] = {}
        self._told_at = float("-inf")

    def stop(self) -> None:
        self._halt.set()

    def run(self) -> None:
        due = clock.monotonic()
        while not self._halt.is_set():
            if not self._for_viewers and not self.inbox.wait(IDLE_S) and not self._for_market:
                continue
            self._halt.wait(max(due - clock.monotonic(), GATHER_S))
            began = clock.monotonic()
            due = began + STORE_EVERY_S
            try:
                self.turn(began)
            except Exception:
                log.exception("store sink failed")

    def turn(self, now: float) -> None:
        batch = self.inbox.take()
        if not self._may_act():
            return
        if batch:
            self._store(batch)
        if self._for_viewers:
            self._show(now)
        if now - self._told_at >= MARKET_EVERY_S and self._for_market:
            self._told_at = now
            told, self._for_market = self._for_market, {}
            push_ticks("market", ticks(told.values()))

    def _store(self, batch: dict[str, Quote]) -> None:
        stored = quotes.put(batch.values())
        if stored is None:
            self.inbox.put_back(batch.values())
        else:
            self.stored += stored
        viewed = frozenset[str]().union(*(keys for _, keys in self.viewed))
        self._for_viewers.update((key, quote) for key, quote in batch.items() if key in viewed)
        self._for_market.update((key, quote) for key, quote in batch.items() if key in self.indices)

    def _show(self, now: float) -> None:
        due = {key: q for key, q in self._for_viewers.items() if now - self._shown_at.get(key, -1.0) >= SYMBOL_EVERY_S}
        if not due:
            return
        self._shown_at.update(dict.fromkeys(due, now))
        for key in due:
            del self._for_viewers[key]
        written = ticks(due.values())
        for topic, keys in self.viewed:
            if seen := {key: written[key] for key in written.keys() & keys}:
                push_ticks(topic, seen)
        if len(self._shown_at) > MOST_REMEMBERED:
            self._shown_at.clear()
