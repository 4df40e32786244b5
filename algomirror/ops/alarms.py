"""Raise an alarm; the same trouble rings once until a person acknowledges it, or until it comes back long after."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError, models, transaction

from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops import journal, prepared, push
from algomirror.ops.alerts.classes import CRITICAL, class_of
from algomirror.ops.models import Alarm

log = logging.getLogger(__name__)

SNOOZE_CRITICAL_MIN, SNOOZE_MIN = 15, 24 * 60
# Unseen for so long, what may cost money is trouble of its own: the repeats of the first are over by then.
ANEW_AFTER: Final = timedelta(minutes=30)
EVER: Final = datetime(2000, 1, 1, tzinfo=UTC)

_again = prepared.PreparedUpdate(
    lambda key, since: Alarm.objects.filter(key=key, last_at__gt=since, state=Alarm.State.NEW),
    ["last_at", "text", "numbers"],
    seen_times=models.F("seen_times") + 1,
)


def ring(
    kind: str,
    text: str,
    *,
    key: str = "",
    run_id: int | None = None,
    account_id: int | None = None,
    is_event: bool = False,
    **numbers: Any,
) -> None:
    """`is_event`: it is told when it happens and not for as long as it lasts, so that a later time is trouble of its own too."""
    key = f"{kind}:{key or run_id or account_id or ''}"[:120]
    now = clock.now()
    numbers = journal.plain(numbers)
    since = now - ANEW_AFTER if is_event or class_of(kind) in CRITICAL else EVER
    if _again(key, since, now, text[:500], numbers):
        return
    row = Alarm(at=now, last_at=now, kind=kind, text=text[:500], key=key, numbers=numbers, run_id=run_id, account_id=account_id)
    try:
        with transaction.atomic():
            _end_silent(key, since, now)
            prepared.insert(row)
    except IntegrityError:
        _again(key, since, now, text[:500], numbers)
        return
    push.push("alarms", "changed")
    log.warning("alarm kind=%s key=%s text=%s", kind, key, text)


def _end_silent(key: str, since: datetime, now: datetime) -> None:
    """One that nobody acknowledged has nothing more to say on any channel; the new one has."""
    Alarm.objects.filter(key=key, last_at__lte=since, state=Alarm.State.NEW).update(
        state=Alarm.State.ACKNOWLEDGED, acknowledged_by="nobody: it rang anew", acknowledged_at=now
    )


def ringing() -> models.QuerySet[Alarm]:
    """What nobody acknowledged and nobody snoozed."""
    return Alarm.objects.filter(models.Q(snoozed_until=None) | models.Q(snoozed_until__lte=clock.now()), state=Alarm.State.NEW)


def longest_snooze(kind: str) -> int:
    """Minutes: what may cost money is silent for a quarter of an hour at most."""
    return SNOOZE_CRITICAL_MIN if class_of(kind) in CRITICAL else SNOOZE_MIN


def snooze(alarm_id: int, minutes: int, *, who: str) -> bool:
    """Silent for so many minutes, then it rings again. False when it was acknowledged meanwhile; Refused for too long."""
    alarm = Alarm.objects.filter(pk=alarm_id).first()
    if alarm is None:
        raise Refused("There is no such alarm.", fields={"alarm": "unknown"})
    most = longest_snooze(alarm.kind)
    if not 1 <= minutes <= most:
        raise Refused("It was not snoozed.", fields={"minutes": f"1 to {most} for an alarm of this class"})
    until = clock.now() + timedelta(minutes=minutes)
    with transaction.atomic():
        done = Alarm.objects.filter(pk=alarm_id, state=Alarm.State.NEW).update(snoozed_until=until)
        if done:
            journal.record(
                "alarm.snoozed",
                actor=who,
                subject=f"alarm:{alarm.key}"[:80],
                run_id=alarm.run_id,
                account_id=alarm.account_id,
                minutes=minutes,
            )
            push.push("alarms", "changed")
    return bool(done)


def wake_snoozed() -> int:
    """Those whose time has passed ring again on every open page; how many."""
    woken = Alarm.objects.filter(state=Alarm.State.NEW, snoozed_until__lte=clock.now()).update(snoozed_until=None)
    if woken:
        push.push("alarms", "changed")
    return woken


def acknowledge(alarm_id: int, *, who: str) -> bool:
    """True when this call silenced it; False when it was already silent."""
    with transaction.atomic():
        done = Alarm.objects.filter(pk=alarm_id, state=Alarm.State.NEW).update(
            state=Alarm.State.ACKNOWLEDGED, acknowledged_by=who, acknowledged_at=clock.now()
        )
        if done:
            journal.record("alarm.acknowledged", actor=who, subject=f"alarm:{alarm_id}")
            push.push("alarms", "changed")
    return bool(done)
