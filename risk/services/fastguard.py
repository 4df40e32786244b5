"""Every tick is held against every stop, in the process that receives it, before anything is stored or sent.

`on_quotes` is memory only. What it suspects is committed by one keeper thread through the same path as the sweep, which
reads the run afresh and decides with the guards themselves; a late or lost keeper costs speed, never protection.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db import close_old_connections, connection

from algomirror.kernel import clock
from marketdata import quotes as store
from marketdata.domain.quotes import Quote, Source
from risk import selectors
from risk.domain.guards import GuardView
from risk.selectors import OpenRun
from risk.services import sweep, watch
from risk.services.lines import EMPTY, Watched
from risk.services.worth import Worth
from trading.services import wake

log = logging.getLogger(__name__)

RELOAD_EVERY_S = 1.0
SWITCH_S = 0.0005


class Seen(NamedTuple):
    quote: Quote
    mark: Decimal
    until: datetime


class FastGuard:
    def __init__(self) -> None:
        self._index = EMPTY
        self._prints: dict[int, tuple[object, ...]] = {}
        self._swapping = threading.Lock()
        self._seen: dict[str, Seen] = {}

    def reload(self) -> None:
        """Read what changed among the open runs; keep what ticks taught since; forget quotes nobody needs."""
        prints = selectors.fingerprints()
        changed = [run_id for run_id, print_ in prints.items() if self._prints.get(run_id) != print_]
        gone = [run_id for run_id in self._prints if run_id not in prints]
        if changed or gone:
            self._swap(selectors.open_runs(changed) if changed else [], gone)
        self._prints = prints

    def reload_run(self, run_id: int) -> None:
        """After a decision: what tripped must not be suspected again by the next tick."""
        self._swap(selectors.open_runs([run_id]), [run_id])

    def _swap(self, read: Iterable[OpenRun], gone: Iterable[int]) -> None:
        with self._swapping:
            index = self._index.with_runs(read, gone)
            self._take(store.get(key for key in index.by_key if key not in self._seen))
            self._index = index
        for key in list(self._seen):
            if key not in index.by_key:
                self._seen.pop(key, None)

    @property
    def runs(self) -> Mapping[int, OpenRun]:
        return {run_id: one.run for run_id, one in self._index.watched.items()}

    def see(self, quotes: Mapping[str, Quote], now: datetime) -> list[int]:
        """Take a batch of ticks; the runs in which a level is touched. Memory only."""
        index = self._index
        wanted = {key: quote for key, quote in quotes.items() if key in index.by_key}
        if not wanted:
            return []
        self._take(wanted)
        marks = self._usable(now)
        suspects: set[int] = set()
        for line in dict.fromkeys(line for key in wanted for line in index.by_key[key]):
            value = line.gauge.total(marks)
            if value is not None and line.sees(value):
                suspects.add(line.run_id)
        return sorted(suspects)

    def commit(self, run_id: int, now: datetime) -> int:
        """Let the guards decide on the quotes seen here; how many tripped by this call."""
        quotes = {key: seen.quote for key, seen in list(self._seen.items())}
        memories = self._index.memories(run_id)
        with wake.gathered():
            tripped = len(sweep.evaluate_run(run_id, quotes=quotes, now=now, seen_by="tick", memories=memories))
            self.reload_run(run_id)
        return tripped

    def keep(self, now: datetime) -> int:
        """Store peaks and stops that ticks moved; how many. What loses its race is merged by the next reload."""
        notes = self._index.moved()
        if notes:
            sweep.keep(notes, now)
        return len(notes)

    def values(self, now: datetime) -> dict[int, dict[str, str | None]]:
        """P&L and used share of the limits of every open run; None where a mark is missing."""
        marks, index = self._usable(now), self._index
        views = index.memories()
        return {run_id: _numbers(one, views, marks) for run_id, one in index.watched.items()}

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


def _numbers(one: Watched, views: Mapping[int, GuardView], marks: Mapping[str, Decimal]) -> dict[str, str | None]:
    run_id, total = one.run.run_id, one.total.total(marks)
    realised = sum((position.realised for book in one.run.books for position in book.positions), Decimal(0))
    numbers: dict[str, str | None] = {
        f"run:{run_id}:pnl": None if total is None else f"{total:.2f}",
        f"run:{run_id}:unrealised": None if total is None else f"{total - realised:.2f}",
    }
    for guard in selectors.money_guards(one.run):
        policy, view = guard.policy, views.get(guard.guard_id, guard.view)
        if policy.book_id is None:
            share = None if total is None else used_share(policy.rule, total, policy.limit, view)
            numbers[f"run:{run_id}:{policy.rule.value.lower()}_share"] = None if share is None else f"{share:.1f}"
    return numbers


def used_share(rule: str, total: Decimal, limit: Decimal, view: GuardView) -> Decimal | None:
    """How much of the way to its level is used up, 0 to 100 per cent; None where there is no level yet."""
    if rule in ("MAX_LOSS", "MAX_PROFIT"):
        gone, way = (-total if rule == "MAX_LOSS" else total), limit
    elif view.inputs.get("peak") is None or view.inputs.get("stop") is None:
        return None
    else:
        peak, stop = Decimal(view.inputs["peak"]), Decimal(view.inputs["stop"])
        gone, way = peak - total, peak - stop
    return min(max(gone / way * 100, Decimal(0)), Decimal(100)) if way else Decimal(100)


class Keeper:
    """Two threads for a FastGuard: one commits what it suspects and waits for nothing else, one reads, keeps, publishes."""

    def __init__(self, guard: FastGuard) -> None:
        self._guard = guard
        self._worth = Worth()
        self._suspects: set[int] = set()
        self._mutex = threading.Lock()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def suspect(self, run_ids: Iterable[int]) -> None:
        with self._mutex:
            self._suspects.update(run_ids)
        self._wake.set()

    def ensure_running(self) -> None:
        if self._threads and all(thread.is_alive() for thread in self._threads):
            return
        self.stop()
        self._stopping.clear()
        # The committing thread must get the interpreter within a blink, whatever the reading one is busy with.
        sys.setswitchinterval(SWITCH_S)
        turns = (("fastguard", self._commits), ("fastguard-index", self._reads))
        self._threads = [threading.Thread(target=_ending, args=(turn,), name=name, daemon=True) for name, turn in turns]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads and their database connections; the next tick starts new ones."""
        self._stopping.set()
        self._wake.set()
        for thread in self._threads:
            thread.join(10)
        self._threads = []

    def _commits(self) -> None:
        while not self._stopping.is_set():
            try:
                self.commit_suspects()
            except Exception:
                log.exception("fast guard could not commit; the sweep goes on")
            self._wake.wait(RELOAD_EVERY_S)

    def _reads(self) -> None:
        while not self._stopping.is_set():
            began = clock.monotonic()
            try:
                close_old_connections()
                self._guard.keep(clock.now())
                self._guard.reload()
                now = clock.now()
                watch.publish(self._guard.values(now), now)
                self._worth.publish()
            except Exception:
                log.exception("fast guard turn failed; the sweep goes on")
            self._stopping.wait(max(began + RELOAD_EVERY_S - clock.monotonic(), 0.01))

    def commit_suspects(self) -> bool:
        self._wake.clear()
        with self._mutex:
            due, self._suspects = self._suspects, set()
        for run_id in due:
            tripped = self._guard.commit(run_id, clock.now())
            # Suspected meanwhile by lines that are gone now: the new ones speak with the next tick.
            with self._mutex:
                self._suspects.discard(run_id)
            log.info("fast guard run=%s tripped=%s", run_id, tripped)
        return bool(due)


def _ending(turn: Callable[[], None]) -> None:
    try:
        turn()
    finally:
        connection.close()


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


def use(guard: FastGuard) -> None:
    """Put another guard in charge; for rehearsals and benches."""
    global _guard, _keeper
    _keeper.stop()
    _guard, _keeper = guard, Keeper(guard)


def watched() -> set[int]:
    """The runs every tick is held against at present."""
    return set(_guard.runs)


def stop() -> None:
    """For an orderly end of the feed process, and for tests."""
    _keeper.stop()
