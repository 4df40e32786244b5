"""Every tick is held against every stop, in the process that receives it, before anything is stored or sent.

`on_quotes` is memory only. What it suspects is committed by one keeper thread through the same path as the sweep, which
reads the run afresh and decides with the guards themselves; a late or lost keeper costs speed, never protection.
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db import close_old_connections, connection

from algomirror.kernel import clock
from marketdata import quotes as store
from marketdata.domain.quotes import Quote, Source
from risk import selectors
from risk.domain.gauges import Gauge, gauge
from risk.domain.guards import Stage
from risk.selectors import OpenRun
from risk.services import sweep, watch

log = logging.getLogger(__name__)

RELOAD_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Index:
    """What is open, as of the last reload: gauges per run, and which runs an instrument concerns."""

    runs: Mapping[int, OpenRun]
    gauges: Mapping[int, tuple[Gauge, ...]]
    totals: Mapping[int, Gauge]
    by_key: Mapping[str, tuple[int, ...]]


EMPTY = Index({}, {}, {}, {})


class Seen(NamedTuple):
    quote: Quote
    mark: Decimal
    until: datetime


def build(runs: Iterable[OpenRun]) -> Index:
    kept = [run for run in runs if run.open_keys]
    gauges: dict[int, tuple[Gauge, ...]] = {}
    by_key: dict[str, list[int]] = defaultdict(list)
    for run in kept:
        scopes: dict[int | None, list[selectors.Guard]] = defaultdict(list)
        for guard in run.guards:
            if guard.view.stage is not Stage.TRIPPED:
                scopes[guard.policy.book_id].append(guard)
        gauges[run.run_id] = tuple(
            gauge(
                (p for b in run.books if book_id is None or b.book_id == book_id for p in b.positions),
                (g.policy for g in guards),
            )
            for book_id, guards in scopes.items()
        )
        for key in run.open_keys:
            by_key[key].append(run.run_id)
    return Index(
        runs={run.run_id: run for run in kept},
        gauges=gauges,
        totals={run.run_id: gauge((p for b in run.books for p in b.positions), ()) for run in kept},
        by_key={key: tuple(ids) for key, ids in by_key.items()},
    )


class FastGuard:
    def __init__(self) -> None:
        self._index = EMPTY
        self._seen: dict[str, Seen] = {}

    def reload(self) -> None:
        """Read what is open; forget quotes nobody needs."""
        index = build(selectors.open_runs())
        self._take(store.get(key for key in index.by_key if key not in self._seen))
        self._index = index
        for key in list(self._seen):
            if key not in index.by_key:
                self._seen.pop(key, None)

    @property
    def runs(self) -> Mapping[int, OpenRun]:
        return self._index.runs

    def see(self, quotes: Mapping[str, Quote], now: datetime) -> list[int]:
        """Take a batch of ticks; the runs in which a level is touched. Memory only."""
        index = self._index
        wanted = {key: quote for key, quote in quotes.items() if key in index.by_key}
        if not wanted:
            return []
        self._take(wanted)
        marks = self._usable(now)
        suspects: list[int] = []
        for run_id in {run_id for key in wanted for run_id in index.by_key[key]}:
            for one in index.gauges[run_id]:
                value = one.total(marks)
                if value is not None and one.touches(value):
                    suspects.append(run_id)
                    break
        return suspects

    def commit(self, run_id: int, now: datetime) -> int:
        """Let the guards decide on the quotes seen here; how many tripped by this call."""
        quotes = {key: seen.quote for key, seen in list(self._seen.items())}
        return len(sweep.evaluate_run(run_id, quotes=quotes, now=now, seen_by="tick"))

    def values(self, now: datetime) -> dict[int, dict[str, str | None]]:
        """P&L and used share of the limits of every open run; None where a mark is missing."""
        marks, index = self._usable(now), self._index
        return {run_id: _numbers(run_id, index, marks) for run_id in index.totals}

    def _take(self, quotes: Mapping[str, Quote]) -> None:
        bounds = store.bounds()
        for key, quote in quotes.items():
            held = self._seen.get(key)
            if held is not None and held.quote.received_at > quote.received_at:
                continue
            lasts_s = bounds.stream_s if quote.source is Source.STREAM else bounds.rest_s
            self._seen[key] = Seen(quote, quote.deciding_price, quote.received_at + timedelta(seconds=lasts_s))

    def _usable(self, now: datetime) -> dict[str, Decimal]:
        # list() takes the items in one step: the feed's thread and the keeper's share this dict.
        return {key: seen.mark for key, seen in list(self._seen.items()) if seen.until >= now}


def _numbers(run_id: int, index: Index, marks: Mapping[str, Decimal]) -> dict[str, str | None]:
    total = index.totals[run_id].total(marks)
    numbers: dict[str, str | None] = {f"run:{run_id}:pnl": None if total is None else f"{total:.2f}"}
    for guard in index.runs[run_id].guards:
        if guard.policy.book_id is None:
            share = None if total is None else used_share(guard.policy.rule, total, guard.policy.limit)
            numbers[f"run:{run_id}:{guard.policy.rule.value.lower()}_share"] = share
    return numbers


def used_share(rule: str, total: Decimal, limit: Decimal) -> str:
    """How much of a limit is used up, 0 to 100 per cent."""
    gone = -total if rule == "MAX_LOSS" else total
    return f"{min(max(gone / limit * 100, Decimal(0)), Decimal(100)):.1f}"


class Keeper:
    """The one thread that reads, commits and publishes for a FastGuard."""

    def __init__(self, guard: FastGuard) -> None:
        self._guard = guard
        self._suspects: set[int] = set()
        self._mutex = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def suspect(self, run_ids: Iterable[int]) -> None:
        with self._mutex:
            self._suspects.update(run_ids)
        self._wake.set()

    def ensure_running(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._stopping.clear()
            self._thread = threading.Thread(target=self._run, name="fastguard", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread and its database connection; the next tick starts a new one."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(10)

    def _run(self) -> None:
        try:
            self._loop()
        finally:
            connection.close()

    def _loop(self) -> None:
        reload_at = 0.0
        while not self._stopping.is_set():
            try:
                if self.commit_suspects():
                    reload_at = 0.0  # what tripped must not be suspected again by the next tick
                if clock.monotonic() >= reload_at:
                    reload_at = clock.monotonic() + RELOAD_EVERY_S
                    close_old_connections()
                    self._guard.reload()
                    now = clock.now()
                    watch.publish(self._guard.values(now), now)
            except Exception:
                log.exception("fast guard turn failed; the sweep goes on")
            self._wake.wait(max(reload_at - clock.monotonic(), 0.01))

    def commit_suspects(self) -> bool:
        self._wake.clear()
        with self._mutex:
            due, self._suspects = self._suspects, set()
        for run_id in due:
            tripped = self._guard.commit(run_id, clock.now())
            log.info("fast guard run=%s tripped=%s", run_id, tripped)
        return bool(due)


_guard = FastGuard()
_keeper = Keeper(_guard)


def on_quotes(quotes: Mapping[str, Quote]) -> None:
    """Called by the feed for every batch of ticks. Never blocks on I/O and never raises."""
    try:
        _keeper.ensure_running()
        suspects = _guard.see(quotes, clock.now())
        if suspects:
            _keeper.suspect(suspects)
    except Exception:
        log.exception("tick not guarded; the sweep goes on")


def watched() -> set[int]:
    """The runs every tick is held against at present."""
    return set(_guard.runs)


def stop() -> None:
    """For an orderly end of the feed process, and for tests."""
    _keeper.stop()
