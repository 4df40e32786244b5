"""Scheduled starts: once a trading day, when the gate allows, inside the entry window. Missed is said, not made up."""

from __future__ import annotations

import logging
from datetime import date, datetime, timedelta
from typing import Final

from django.db import models, transaction

from accounts import assigned
from accounts.models import Account
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops import alarms, journal, push, sight
from marketdata import calendar, selectors
from marketdata.domain.sessions import local
from strategies.domain.drafts import ScheduleTerms
from strategies.domain.schedules import Due, closes_at, due
from strategies.models import ScheduledStart, Strategy, Version
from strategies.services import build, preview, start
from trading.models import Run

log = logging.getLogger(__name__)

BY: Final = "schedule"
RETRY: Final = timedelta(seconds=5)
LOOK_BACK_DAYS: Final = 5
Day = ScheduledStart.State


def switch(strategy: Strategy, *, on: bool, by: str) -> bool:
    """Let the schedule of the newest version count, or not. An open run goes on either way."""
    version = strategy.current
    if on and (version is None or build.schedule(version) is None):
        raise Refused(f"{strategy.name} has no times yet.", fields={"entry_time": "set the entry times and save first"})
    if on and (strategy.archived_at is not None or strategy.is_template):
        raise Refused("An archived strategy or a template is not scheduled.")
    with transaction.atomic():
        row = Strategy.objects.filter(pk=strategy.pk, scheduled_at__isnull=on)
        done = row.update(scheduled_at=clock.now() if on else None)
        if done:
            moved = ("off", "on") if on else ("on", "off")
            journal.record("strategy.schedule", actor=by, subject=f"strategy:{strategy.pk}", why=strategy.name, moved=moved)
    return bool(done)


def sweep() -> int:
    """Look at every scheduled strategy once. How many were started now."""
    started = 0
    for strategy in Strategy.objects.filter(scheduled_at__isnull=False, archived_at=None).select_related("owner"):
        try:
            started += _look(strategy)
        except Exception:
            log.exception("schedule not looked at strategy=%s", strategy.pk)
    return started


def _look(strategy: Strategy) -> bool:
    version = strategy.current
    terms = None if version is None else build.schedule(version)
    if version is None or terms is None or strategy.scheduled_at is None:
        return False
    now, today = clock.now(), clock.today()
    _say_lost_days(strategy, version, terms, today)
    row = ScheduledStart.objects.filter(strategy=strategy, trading_day=today).first()
    if row is not None and row.state != Day.WAITING:
        return False
    verdict = due(
        terms,
        today,
        now,
        since=strategy.scheduled_at,
        has_session=_has_session(version, today),
        days_to_expiry=days_to_expiry(version, now),
    )
    if verdict is Due.LATE:
        _miss(strategy, version, today, row.why if row is not None and row.why else "nothing tried to start it in time")
    if verdict is not Due.NOW:
        return False
    row = row or _row(strategy, version, today)
    return _try(strategy, version, row, now)


def _row(strategy: Strategy, version: Version, day: date) -> ScheduledStart:
    return ScheduledStart.objects.get_or_create(strategy=strategy, trading_day=day, defaults={"version": version})[0]


def _try(strategy: Strategy, version: Version, row: ScheduledStart, now: datetime) -> bool:
    """One attempt; another worker's claim, or one of a moment ago, means none. True when the run stands."""
    if row.tried_at is not None and now - row.tried_at < RETRY:
        return False
    mine = ScheduledStart.objects.filter(pk=row.pk, state=Day.WAITING, tries=row.tries)
    if not mine.update(tries=models.F("tries") + 1, tried_at=now, version=version):
        return False
    key = f"schedule-{strategy.pk}-{row.trading_day.isoformat()}"
    try:
        run = Run.objects.filter(idempotency_key=key).first() or _start(strategy, version, key)
    except Refused as refused:
        ScheduledStart.objects.filter(pk=row.pk, state=Day.WAITING).update(why=refused.message[:500])
        return False
    done = ScheduledStart.objects.filter(pk=row.pk, state=Day.WAITING).update(state=Day.STARTED, run=run, why="")
    push.push("runs", "changed")
    return bool(done)


def _start(strategy: Strategy, version: Version, key: str) -> Run:
    """As its owner may do it today: who was put out, or lost an account, starts nothing there by a clock either."""
    if not strategy.owner.may_trade:
        raise Refused(f"{strategy.owner.username}, whose strategy it is, may not trade any more.")
    accounts = list(Account.objects.filter(pk__in=version.accounts.values("pk")))
    with sight.limited_to(assigned.of(strategy.owner)):
        plan = preview.preview(version, accounts, user=strategy.owner)
    return start.start(plan.key, digest=plan.digest, idempotency_key=key, by=BY)


def _miss(strategy: Strategy, version: Version, day: date, why: str) -> None:
    """Once per day: the row's move (or its birth) decides who rings."""
    with transaction.atomic():
        row = _row(strategy, version, day)
        if not ScheduledStart.objects.filter(pk=row.pk, state=Day.WAITING).update(state=Day.MISSED, why=why[:500]):
            return
        text = f"{strategy.name} was not started on {day:%d %b}: {why}"
        journal.record("schedule.missed", actor=BY, subject=f"strategy:{strategy.pk}", why=why[:300], day=day)
        alarms.ring("SCHEDULE_MISSED", text, key=f"{strategy.pk}:{day}")


def _say_lost_days(strategy: Strategy, version: Version, terms: ScheduleTerms, today: date) -> None:
    """Days on which nobody was up to look. With a filter on expiry the past cannot be judged, and is left alone."""
    if terms.days_to_expiry_min is not None or terms.days_to_expiry_max is not None or strategy.scheduled_at is None:
        return
    known = set(
        ScheduledStart.objects.filter(
            strategy=strategy, trading_day__gte=today - timedelta(days=LOOK_BACK_DAYS), trading_day__lt=today
        )
        .exclude(state=Day.WAITING)
        .values_list("trading_day", flat=True)
    )
    for back in range(1, LOOK_BACK_DAYS + 1):
        day = today - timedelta(days=back)
        was_due = day.weekday() in terms.weekdays and closes_at(terms, day) > max(strategy.scheduled_at, version.created_at)
        if was_due and day not in known and _has_session(version, day):
            _miss(strategy, version, day, "AlgoMirror was not running in its window")


def _has_session(version: Version, day: date) -> bool:
    exchanges = set(version.legs.values_list("underlying__derivative_exchange", flat=True))
    return all(calendar.sessions().windows(exchange, day) for exchange in exchanges)


def days_to_expiry(version: Version, now: datetime) -> int | None:
    """Calendar days to the nearest contract of the legs; None when a slot means no date now."""
    found: list[int] = []
    today = local(now).date()
    for leg in build.specs(version):
        slots = selectors.slots(leg.underlying, now, "FUT" if leg.is_future else "OPT")
        day = leg.expiry_date if leg.slot == "DATE" else next((d for slot, d in slots.items() if slot.value == leg.slot), None)
        if day is None:
            return None
        found.append((day - today).days)
    return min(found, default=None)
