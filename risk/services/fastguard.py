"""Every tick is held against every stop, in the process that receives it, before anything is stored or sent.

`on_quotes` is memory only. What it suspects is committed by one keeper thread through the same path as the sweep, which
reads the run afresh and decides with the guards themselves; a late or lost keeper costs speed, never protection.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from algomirror.kernel import clock
from marketdata import quotes as store
from marketdata.domain.quotes import AHEAD_S, Quote, Source
from risk import selectors
from risk.domain.guards import GuardView
from risk.domain.snapshot import CLOCK
from risk.prints import Print, prints
from risk.selectors import OpenRun
from risk.services import sweep
from risk.services.keeper import Keeper
from risk.services.lines import EMPTY, Watched
from trading.services import wake

log = logging.getLogger(__name__)

READ_AT_ONCE = 4
AHEAD = timedelta(seconds=AHEAD_S)


def at_once() -> None:
    """No pause."""


class Seen(NamedTuple):
    quote: Quote
    mark: Decimal
    since: datetime
    until: datetime


class FastGuard:
    def __init__(self) -> None:
        self._index = EMPTY
        self._prints: dict[int, Print] = {}
        self._swapping = threading.Lock()
        self._seen: dict[str, Seen] = {}
        self._news: set[int] = set()

    def reload(self, pause: Callable[[], None] = at_once) -> None:
        """Read what changed among the open runs; keep what ticks taught since; forget quotes nobody needs.

        A few at a time, with a `pause` before each handful: nobody who has to leave waits for a big house to be read.
        """
        found = prints()
        changed = [run_id for run_id, print_ in found.items() if self._prints.get(run_id) != print_]
        gone = [run_id for run_id in self._prints if run_id not in found]
        for first in range(0, len(changed), READ_AT_ONCE):
            pause()
            self._read(changed[first : first + READ_AT_ONCE], found)
        if gone:
            self._swap([], gone)
        self._prints = found

    def reload_runs(self, run_ids: Collection[int]) -> None:
        """After decisions: what tripped must not be suspected again by the next tick."""
        found = prints(list(run_ids))
        self._read(run_ids, found)
        self._prints.update(found)

    def _read(self, run_ids: Collection[int], found: Mapping[int, Print]) -> None:
        read = [(run, found[run.run_id]) for run in selectors.open_runs(run_ids) if run.run_id in found]
        self._swap(read, run_ids)

    def _swap(self, read: Sequence[tuple[OpenRun, Print]], gone: Iterable[int]) -> None:
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
            if value is not None and line.sees(value, now):
                suspects.add(line.run_id)
        return sorted(suspects)

    def decide(self, run_id: int, now: datetime) -> int:
        """Let the guards decide on the quotes seen here; how many tripped by this call. `catch_up` does the rest."""
        run = self._as_it_stands(run_id)
        if run is None:
            return 0
        quotes = {key: seen.quote for key, seen in list(self._seen.items())}
        memories = self._index.memories(run_id)
        with wake.gathered() as news:
            decided = sweep.decide(run, quotes=quotes, now=now, seen_by="tick", memories=memories)
            self._news |= news
            news.clear()
        return len(decided.events)

    def catch_up(self, run_ids: Collection[int]) -> None:
        """What follows a decision and holds up nobody else's: read these runs again, tell who waits for their news."""
        self.reload_runs(run_ids)
        with wake.gathered() as news:
            while self._news:
                news.add(self._news.pop())

    def commit(self, run_id: int, now: datetime) -> int:
        """`decide` and `catch_up` in one; how many tripped by this call."""
        tripped = self.decide(run_id, now)
        self.catch_up([run_id])
        return tripped

    def _as_it_stands(self, run_id: int) -> OpenRun | None:
        """The run held here when the database says that nothing of it changed since, else read afresh.

        Rules of the clock follow the calendar, which has no print: they are the sweep's.
        """
        held = self._index.watched.get(run_id)
        if held is not None and prints([run_id]).get(run_id) == held.print_:
            return replace(held.run, guards=tuple(one for one in held.run.guards if one.policy.rule not in CLOCK))
        return selectors.open_run(run_id)

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
        bounds, now = store.bounds(), clock.now()
        for key, quote in quotes.items():
            held = self._seen.get(key)
            if held is not None and held.quote.received_at > quote.received_at and not held.quote.is_ahead(now):
                continue
            lasts_s = bounds.stream_s if quote.source is Source.STREAM else bounds.rest_s
            at = quote.received_at
            self._seen[key] = Seen(quote, quote.deciding_price, at - AHEAD, at + timedelta(seconds=lasts_s))

    def _usable(self, now: datetime) -> dict[str, Decimal]:
        # list() takes the items in one step: the feed's thread and the keeper's share this dict.
        return {key: seen.mark for key, seen in list(self._seen.items()) if seen.since <= now <= seen.until}


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
