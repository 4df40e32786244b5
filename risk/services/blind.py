"""A run whose mark is incomplete is blind: it says so, alarms, and in bounded time does what its trader chose."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction

from algomirror.ops import alarms, journal
from marketdata import calendar
from risk.domain import sentences
from risk.domain.guards import Snapshot
from risk.models import Blindness, RiskEvent, RunLimits
from risk.selectors import OpenRun
from risk.services.leaving import announce, ask_to_leave

RING_EVERY_S = 10.0


def watch(run: OpenRun, seen: Snapshot, known: Blindness | None, now: datetime) -> None:
    """One look at how long this run has been without a complete mark. Writes nothing while it sees."""
    missing = _missing_in_session(seen, now)
    if not missing:
        if known is not None and known.since is not None:
            _see_again(run, known, now)
        return
    if known is None:
        known, _ = Blindness.objects.get_or_create(run_id=run.run_id)
    if known.since is None:
        Blindness.objects.filter(pk=known.pk, since=None).update(since=now, missing=list(missing))
        return
    blind_s = (now - known.since).total_seconds()
    if blind_s < settings.BLIND_ALARM_S:
        return
    _announce(run, known, missing, blind_s, now)
    if blind_s >= settings.BLIND_ACTION_S and run.blind_policy == RunLimits.Blind.FLATTEN:
        _flatten(run, known, missing, blind_s, now)


def _missing_in_session(seen: Snapshot, now: datetime) -> tuple[str, ...]:
    """What is unpriced and whose exchange trades at this moment: a closed market has no prices to miss."""
    return tuple(key for key in seen.missing if calendar.market_state(key.partition(":")[0], now).is_open)


def _announce(run: OpenRun, known: Blindness, missing: tuple[str, ...], blind_s: float, now: datetime) -> None:
    text = sentences.blind(blind_s, missing)
    with transaction.atomic():
        first = Blindness.objects.filter(pk=known.pk, announced_at=None).update(
            announced_at=now, rung_at=now, missing=list(missing)
        )
        if first:
            _event(run, "BLIND_START", "NONE", text, missing, blind_s, now)
            alarms.ring("BLIND", f"{run.name}: {text}", run_id=run.run_id, missing=list(missing), seconds=round(blind_s, 1))
            announce(run.run_id, [])
            return
    if known.rung_at is None or (now - known.rung_at).total_seconds() < RING_EVERY_S:
        return
    if Blindness.objects.filter(pk=known.pk, rung_at=known.rung_at).update(rung_at=now, missing=list(missing)):
        alarms.ring("BLIND", f"{run.name}: {text}", run_id=run.run_id, missing=list(missing), seconds=round(blind_s, 1))


def _flatten(run: OpenRun, known: Blindness, missing: tuple[str, ...], blind_s: float, now: datetime) -> None:
    text = f"{sentences.blind(blind_s, missing)} The run's policy is FLATTEN. Exit requested."
    books = run.books_in(None)
    with transaction.atomic():
        if not Blindness.objects.filter(pk=known.pk, acted_at=None).update(acted_at=now):
            return
        numbers = {"seconds": round(blind_s, 1), "missing": list(missing)}
        goals = ask_to_leave(books, reason="BLIND", asked_by="engine:sweep", why=text, numbers=numbers)
        _event(run, "BLIND", "EXIT", text, missing, blind_s, now, goals)
        announce(run.run_id, [book.account_id for book in books])


def _see_again(run: OpenRun, known: Blindness, now: datetime) -> None:
    with transaction.atomic():
        done = Blindness.objects.filter(pk=known.pk, since=known.since).update(
            since=None, announced_at=None, rung_at=None, acted_at=None, missing=[]
        )
        if done and known.announced_at is not None and known.since is not None:
            seconds = (now - known.since).total_seconds()
            _event(run, "BLIND_END", "NONE", f"Every open leg is priced again after {seconds:.0f} s.", (), seconds, now)
            announce(run.run_id, [])


def _event(
    run: OpenRun,
    kind: str,
    action: str,
    text: str,
    missing: tuple[str, ...],
    seconds: float,
    now: datetime,
    goals: list[int] | None = None,
) -> None:
    numbers: dict[str, Any] = {"missing": list(missing), "seconds": round(seconds, 1)}
    RiskEvent.objects.create(
        at=now, run_id=run.run_id, kind=kind, action=action, seen_by="sweep", numbers=numbers, goal_ids=goals or []
    )
    journal.record("risk.blind", actor="engine:sweep", why=text, subject=kind, run_id=run.run_id, **numbers)
