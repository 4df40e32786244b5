"""One round over everything that is open: complete marks first, then what had to be asked for."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

import redis

from algomirror.kernel import clock
from algomirror.ops import heartbeat, push, queue
from marketdata import calendar, rest
from marketdata import quotes as store
from marketdata.domain.quotes import Quote
from risk import selectors
from risk.models import Blindness
from risk.selectors import OpenRun
from risk.services import blind
from risk.services import sweep as guards

log = logging.getLogger(__name__)

# One refresh at a time in the whole house: a hung server may hold up one worker, never every sweep.
REFRESHING = "am:risk:refreshing"
REFRESH_GAP_MS = 2000
REFRESH_TAKES_AT_MOST_MS = 12_000


def sweep() -> None:
    """Look at every open run once. A run whose turn fails is recorded and the next one goes on."""
    runs = selectors.open_runs()
    quotes = store.get(key for run in runs for key in run.open_keys)
    unmarked = _look_at(runs, quotes)
    if unmarked and _ask_for(unmarked, quotes):
        unmarked = _look_at(unmarked, store.get(key for run in unmarked for key in run.open_keys))
    _watch_blindness(runs)
    guards.reassert(runs)
    heartbeat.beat("risk-sweep", runs=len(runs), unmarked=len(unmarked))


def _look_at(runs: Sequence[OpenRun], quotes: Mapping[str, Quote]) -> list[OpenRun]:
    """Evaluate the guards of these runs; those without a complete mark."""
    now, bounds = clock.now(), store.bounds()
    unmarked: list[OpenRun] = []
    for run in runs:
        seen = selectors.snapshot(run, quotes, now, bounds)
        if not seen.is_complete:
            unmarked.append(run)
        try:
            if guards.is_due(run, seen, now):
                guards.evaluate_run(run.run_id, quotes=quotes, now=now, seen_by="sweep")
        except Exception:
            log.exception("run not evaluated run=%s", run.run_id)
    return unmarked


def _ask_for(runs: Sequence[OpenRun], quotes: Mapping[str, Quote]) -> bool:
    """REST for the stale symbols of these runs; False when another worker is at it or just was. Never in a transaction."""
    now, bounds = clock.now(), store.bounds()
    unknown = {key for run in runs for key in selectors.snapshot(run, quotes, now, bounds).missing}
    # A closed market has no newer price: positions carried overnight must not be asked for all night.
    stale = sorted(key for key in unknown if calendar.is_open(key.partition(":")[0], now))
    if not stale:
        return False
    try:
        if not queue.client().set(REFRESHING, 1, nx=True, px=REFRESH_TAKES_AT_MOST_MS):
            return False
        try:
            found = rest.refresh(stale)
        finally:
            queue.client().pexpire(REFRESHING, REFRESH_GAP_MS)
    except (redis.RedisError, OSError) as error:
        log.warning("refresh not coordinated error=%s", type(error).__name__)
        found = rest.refresh(stale)
    return bool(found)


def _watch_blindness(runs: Sequence[OpenRun]) -> None:
    now, bounds = clock.now(), store.bounds()
    quotes = store.get(key for run in runs for key in run.open_keys)
    known = {row.run_id: row for row in Blindness.objects.filter(run_id__in=[run.run_id for run in runs])}
    for run in runs:
        try:
            blind.watch(run, selectors.snapshot(run, quotes, now, bounds), known.get(run.run_id), now)
        except Exception:
            log.exception("blindness not watched run=%s", run.run_id)


def publish(values: Mapping[int, Mapping[str, str | None]], now: datetime) -> None:
    """Push the runs' numbers to the pages that show them."""
    everything: dict[str, str | None] = {}
    for run_id, numbers in values.items():
        everything.update(numbers)
        push.push(f"run:{run_id}", "values", v=dict(numbers))
    if everything:
        for topic in ("runs", "positions"):
            push.push(topic, "values", v=everything)
