"""One round over everything that is open: complete marks first, then what had to be asked for."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal

import redis
from django.db import DatabaseError, OperationalError

from algomirror.kernel import clock
from algomirror.ops import alarms, heartbeat, push, queue
from marketdata import calendar, rest
from marketdata import quotes as store
from marketdata.domain.quotes import Quote
from risk import selectors
from risk.models import Blindness
from risk.selectors import OpenRun
from risk.services import blind, daily, extremes, leaving
from risk.services import sweep as guards

log = logging.getLogger(__name__)

# One refresh at a time in the whole house: a hung server may hold up one worker, never every sweep.
REFRESHING = "am:risk:refreshing"
REFRESH_GAP_MS = 2000
REFRESH_TAKES_AT_MOST_MS = 12_000
# What a daily limit lacks may be a close that no server names: it is asked for less often.
ASKED_OF_THE_DAY = "am:risk:asked-of-the-day"
ASKED_OF_THE_DAY_GAP_MS = 15_000
# Figures of guards are noted for people to read; they decide nothing and may wait for the next sweep.
FIGURES_A_SWEEP = 40


def sweep() -> None:
    """Look at every open run once. A run whose turn fails is recorded and the next one goes on."""
    runs = selectors.open_runs()
    quotes = store.get(key for run in runs for key in run.wanted_keys)
    unmarked = _look_at(runs, quotes)
    if unmarked and _asked(unmarked, quotes):
        unmarked = _look_at(unmarked, store.get(key for run in unmarked for key in run.wanted_keys))
    _watch_blindness(runs)
    _ask_again(runs)
    _watch_days()
    heartbeat.beat("risk-sweep", runs=len(runs), unmarked=len(unmarked))


def _look_at(runs: Sequence[OpenRun], quotes: Mapping[str, Quote]) -> list[OpenRun]:
    """Evaluate the guards of these runs; those without a complete mark."""
    now, bounds = clock.now(), store.bounds()
    unmarked: list[OpenRun] = []
    notes: list[guards.Note] = []
    for run in runs:
        try:
            if not run.is_readable:
                text = f"{run.name}: its protections cannot be read; only its rupee limits guard it"
                alarms.ring("GUARD_FAILED", text, key=f"run:{run.run_id}", run_id=run.run_id)
            seen = selectors.snapshot(run, quotes, now, bounds)
            if not seen.is_complete:
                unmarked.append(run)
            found = guards.look_over(run, seen, now)
            if found.decides:
                guards.evaluate_run(run.run_id, quotes=quotes, now=now, seen_by="sweep")
            notes.extend(found.notes)
        except Exception as error:
            log.exception("run not evaluated run=%s", run.run_id)
            _ring(run, error)
    _keep(notes, now)
    return unmarked


def _ring(run: OpenRun, error: Exception) -> None:
    """None of its guards acts. A database that only was busy is asked again in a second."""
    if isinstance(error, OperationalError):
        return
    text = f"{run.name}: its protections cannot be looked at: {type(error).__name__}: {error}"
    try:
        alarms.ring("GUARD_FAILED", text, key=f"look:{run.run_id}", run_id=run.run_id)
    except DatabaseError:
        log.exception("alarm not stored run=%s", run.run_id)


def _keep(notes: list[guards.Note], now: datetime) -> None:
    """Every moved memory; of mere figures only so many that a sweep is never held up by its own bookkeeping."""
    memories = [note for note in notes if guards.moved(note.guard.view.inputs, note.view.inputs)]
    figures = [note for note in notes if not guards.moved(note.guard.view.inputs, note.view.inputs)]
    figures.sort(key=lambda note: note.guard.evaluated_at or now)
    chosen = [*memories, *figures[:FIGURES_A_SWEEP]]
    try:
        if chosen:
            guards.keep(chosen, now)
    except Exception:
        log.exception("memories not kept notes=%s", len(chosen))
        with suppress(DatabaseError):
            alarms.ring("GUARD_FAILED", "What trailing stops remember cannot be kept: a restart forgets it.", key="memories")


def _asked(runs: Sequence[OpenRun], quotes: Mapping[str, Quote]) -> bool:
    """Asking may fail in any way (a server, a key that cannot be opened); the rest of the sweep goes on."""
    try:
        return _ask_for(runs, quotes)
    except Exception:
        log.exception("prices not asked runs=%s", [run.run_id for run in runs])
    return False


def _ask_for(runs: Sequence[OpenRun], quotes: Mapping[str, Quote]) -> bool:
    """REST for the stale symbols of these runs; False when another worker is at it or just was. Never in a transaction."""
    now, bounds = clock.now(), store.bounds()
    unknown = {key for run in runs for key in selectors.snapshot(run, quotes, now, bounds).missing}
    # A closed market has no newer price: positions carried overnight must not be asked for all night.
    stale = sorted(key for key in unknown if calendar.is_open(key.partition(":")[0], now))
    return bool(stale) and _refresh(stale)


def _refresh(keys: Sequence[str]) -> bool:
    try:
        if not queue.client().set(REFRESHING, 1, nx=True, px=REFRESH_TAKES_AT_MOST_MS):
            return False
        try:
            found = rest.refresh(keys)
        finally:
            queue.client().pexpire(REFRESHING, REFRESH_GAP_MS)
    except (redis.RedisError, OSError) as error:
        log.warning("refresh not coordinated error=%s", type(error).__name__)
        found = rest.refresh(keys)
    return bool(found)


def _ask_again(runs: Sequence[OpenRun]) -> None:
    try:
        leaving.reassert(runs)
    except Exception:
        log.exception("exits of runs not asked again")


def _watch_days() -> None:
    try:
        missing = daily.look(clock.now())
    except Exception:
        log.exception("limits above the run not looked at")
        return
    try:
        if missing and queue.client().set(ASKED_OF_THE_DAY, 1, nx=True, px=ASKED_OF_THE_DAY_GAP_MS):
            _refresh(sorted(missing))
    except Exception:
        log.exception("what limits lack not asked symbols=%s", len(missing))


def _watch_blindness(runs: Sequence[OpenRun]) -> None:
    now, bounds = clock.now(), store.bounds()
    quotes = store.get(key for run in runs for key in run.wanted_keys)
    known = {row.run_id: row for row in Blindness.objects.filter(run_id__in=[run.run_id for run in runs])}
    totals: dict[int, Decimal] = {}
    for run in runs:
        try:
            seen = selectors.snapshot(run, quotes, now, bounds)
            blind.watch(run, seen, known.get(run.run_id), now)
            whole = seen.pnl(None)
            if seen.is_at_stake(None) and whole is not None and whole.total is not None:
                totals[run.run_id] = whole.total
        except Exception:
            log.exception("blindness not watched run=%s", run.run_id)
    _note_extremes(totals)


def _note_extremes(totals: Mapping[int, Decimal]) -> None:
    try:
        extremes.note(totals)
    except Exception:
        log.exception("extremes not noted")


def publish(values: Mapping[int, Mapping[str, str | None]], now: datetime) -> None:
    """Push the runs' numbers to the pages that show them."""
    everything: dict[str, str | None] = {}
    for run_id, numbers in values.items():
        everything.update(numbers)
        push.push(f"run:{run_id}", "values", v=dict(numbers))
    if everything:
        for topic in ("runs", "positions"):
            push.push(topic, "values", v=everything)
