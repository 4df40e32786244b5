"""Raise an alarm; the same trouble rings once until a person acknowledges it."""

from __future__ import annotations

import logging
from typing import Any

from django.db import IntegrityError, models, transaction

from algomirror.kernel import clock
from algomirror.ops import journal, push
from algomirror.ops.models import Alarm

log = logging.getLogger(__name__)


def ring(
    kind: str, text: str, *, key: str = "", run_id: int | None = None, account_id: int | None = None, **numbers: Any
) -> None:
    key = f"{kind}:{key or run_id or account_id or ''}"[:120]
    now = clock.now()
    numbers = journal.plain(numbers)
    ringing = Alarm.objects.filter(key=key, state=Alarm.State.NEW)
    if ringing.update(last_at=now, seen_times=models.F("seen_times") + 1, text=text[:500], numbers=numbers):
        return
    try:
        with transaction.atomic():
            Alarm.objects.create(
                at=now, last_at=now, kind=kind, text=text[:500], key=key, numbers=numbers, run_id=run_id, account_id=account_id
            )
    except IntegrityError:
        ringing.update(last_at=now, seen_times=models.F("seen_times") + 1)
        return
    push.push("alarms", "changed")
    log.warning("alarm kind=%s key=%s text=%s", kind, key, text)


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
