"""From alarms to people: plan what is to be sent, then send what is due. Called by a signals task, never by trading."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from algomirror.kernel import clock
from algomirror.ops import alarms, hooks, journal, push
from algomirror.ops.alerts import wire
from algomirror.ops.alerts.classes import CRITICAL, NEWS, class_of, quiet_until
from algomirror.ops.alerts.models import AlertChannel, AlertDelivery, AlertRule
from algomirror.ops.models import Alarm

log = logging.getLogger(__name__)

REPEAT_EVERY_S = 60
WIDEN_AFTER_ROUNDS = 3
MOST_ROUNDS = 30
BACK_OFF_S = (5, 15, 60, 300, 900)
MOST_ATTEMPTS = 8
SENDING_FOR_AT_MOST = timedelta(seconds=60)
BUDGET_S = 8.0
State = AlertDelivery.State


def run() -> int:
    """Wake what was snoozed, plan and send; how many were sent."""
    alarms.wake_snoozed()
    plan()
    return send_due()


def plan() -> int:
    """A row for everything that must go out and has none yet; how many were made."""
    channels = {c.pk: c for c in AlertChannel.objects.filter(enabled=True)}
    if not channels:
        return 0
    now = clock.now()
    rules = set(AlertRule.objects.filter(channel__in=channels).values_list("channel_id", "event_class"))
    ringing = list(alarms.ringing().filter(at__gte=min(c.created_at for c in channels.values()))[:500])
    known = set(AlertDelivery.objects.filter(alarm__in=ringing).values_list("alarm_id", "channel_id", "round"))
    rows = [row for alarm in ringing for row in _rows(alarm, channels, rules, now) if _id(row) not in known]
    AlertDelivery.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def _id(row: AlertDelivery) -> tuple[int, int, int]:
    return row.alarm_id, row.channel_id, row.round


def _rows(alarm: Alarm, channels: dict[int, AlertChannel], rules: set[tuple[int, str]], now: datetime) -> Iterator[AlertDelivery]:
    event_class = class_of(alarm.kind)
    is_critical = event_class in CRITICAL
    present = min(int((now - alarm.at).total_seconds() // REPEAT_EVERY_S), MOST_ROUNDS) if is_critical else 0
    wanted = [c for c in channels.values() if (c.pk, event_class) in rules]
    if is_critical and present >= WIDEN_AFTER_ROUNDS and wanted:
        wanted = list(channels.values())
    for channel in wanted:
        if alarm.at < channel.created_at:
            continue
        until = None if is_critical else quiet_until(hooks.call("local", now), channel.quiet_from, channel.quiet_to)
        yield AlertDelivery(alarm=alarm, channel=channel, round=present, not_before=until or now)


def send_due() -> int:
    """Those that answer first, then oldest first; one channel's failure holds up only itself, and no longer than the budget."""
    began, sent, failed = clock.monotonic(), 0, set[int]()
    for row in _due(clock.now()):
        if row.channel_id in failed:
            continue
        if clock.monotonic() - began > BUDGET_S:
            break
        if not _claim(row):
            continue
        if _deliver(row):
            sent += 1
        else:
            failed.add(row.channel_id)
    return sent


def _due(now: datetime) -> list[AlertDelivery]:
    waiting = Q(state=State.WAITING, not_before__lte=now)
    lost = Q(state=State.SENDING, not_before__lte=now - SENDING_FOR_AT_MOST)
    rows = AlertDelivery.objects.filter(waiting | lost, channel__enabled=True)
    # What piles up for a channel that fails must not stand before what the others wait for.
    return list(rows.select_related("alarm", "channel").order_by("channel__failures_in_row", "id")[:200])


def _claim(row: AlertDelivery) -> bool:
    mine = AlertDelivery.objects.filter(pk=row.pk, state=row.state, attempts=row.attempts)
    if row.alarm.state == Alarm.State.NEW and row.alarm.snoozed_until is not None and row.alarm.snoozed_until > clock.now():
        mine.update(not_before=row.alarm.snoozed_until)
        return False
    if row.alarm.state != Alarm.State.NEW and class_of(row.alarm.kind) not in NEWS:
        mine.update(state=State.DROPPED, error="acknowledged before it was sent")
        return False
    row.attempts += 1
    return bool(mine.update(state=State.SENDING, attempts=row.attempts, not_before=clock.now()))


def _deliver(row: AlertDelivery) -> bool:
    channel = row.channel
    mine = AlertDelivery.objects.filter(pk=row.pk, state=State.SENDING, attempts=row.attempts)
    try:
        wire.send(channel.kind, config_of(channel), message_of(row.alarm, repeat=row.round))
    except wire.NotSent as trouble:
        is_over = trouble.is_final or row.attempts >= MOST_ATTEMPTS
        wait = BACK_OFF_S[min(row.attempts, len(BACK_OFF_S)) - 1]
        mine.update(
            state=State.FAILED if is_over else State.WAITING,
            error=str(trouble)[:300],
            not_before=clock.now() + timedelta(seconds=wait),
        )
        note(channel, error=str(trouble))
        return False
    mine.update(state=State.SENT, sent_at=clock.now(), error="")
    note(channel)
    return True


def note(channel: AlertChannel, error: str = "") -> None:
    row = AlertChannel.objects.filter(pk=channel.pk)
    if error:
        row.update(failures_in_row=models.F("failures_in_row") + 1, last_error=error[:300])
        log.warning("alert not sent channel=%s error=%s", channel.pk, error)
    else:
        row.update(failures_in_row=0, last_error="", last_sent_at=clock.now())


def config_of(channel: AlertChannel) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(hooks.call("unseal", channel.sealed_config))
    return config


def message_of(alarm: Alarm, *, repeat: int = 0) -> dict[str, Any]:
    """Account, run, numbers, age and a link."""
    age = max(0, round((clock.now() - alarm.at).total_seconds()))
    path = page_of(alarm) or "/alerts"
    lines = [alarm.text, f"since {age} s, seen {alarm.seen_times} times"]
    lines += [f"run {alarm.run_id}"] if alarm.run_id else []
    lines += [f"account {alarm.account_id}"] if alarm.account_id else []
    lines += [f"{name}: {value}" for name, value in list(alarm.numbers.items())[:12]]
    lines.append(settings.PUBLIC_URL + path if settings.PUBLIC_URL else path)
    return {
        "subject": f"AlgoMirror: {alarm.kind.replace('_', ' ').lower()}{f' (again, {repeat})' if repeat else ''}",
        "text": "\n".join(lines),
        "url": path,
        "id": alarm.pk,
        "kind": alarm.kind,
        "class": class_of(alarm.kind),
        "at": alarm.at.isoformat(),
        "age_s": age,
        "run": alarm.run_id,
        "account": alarm.account_id,
        "numbers": journal.plain(alarm.numbers),
        "repeat": repeat,
    }


def tell(kind: str, text: str, *, key: str, account_id: int | None = None, **numbers: Any) -> None:
    """News for people, in the caller's transaction: through each channel that carries its class, once, after its quiet hours.

    It stands in the list of alerts as one that is settled: it does not ring, repeat or wait for anybody.
    """
    if class_of(kind) not in NEWS:
        raise ValueError(f"{kind} is no news: it has to ring")
    now = clock.now()
    alarm = Alarm.objects.create(
        at=now,
        last_at=now,
        kind=kind,
        text=text[:500],
        key=f"{kind}:{key}"[:120],
        numbers=journal.plain(numbers),
        account_id=account_id,
        state=Alarm.State.ACKNOWLEDGED,
        acknowledged_by="nobody has to",
        acknowledged_at=now,
    )
    channels = {c.pk: c for c in AlertChannel.objects.filter(enabled=True)}
    rules = set(AlertRule.objects.filter(channel__in=channels).values_list("channel_id", "event_class"))
    AlertDelivery.objects.bulk_create(_rows(alarm, channels, rules, now))
    push.push("alarms", "changed")


def page_of(alarm: Alarm) -> str:
    """Where its subject is shown; "" where there is no such page."""
    if alarm.run_id:
        return f"/runs/{alarm.run_id}"
    day = alarm.numbers.get("day")
    return f"/reports?account={alarm.account_id}&day={day}" if class_of(alarm.kind) in NEWS and day else ""


def failing() -> list[AlertChannel]:
    """Channels whose last attempts failed; the readiness board shows them."""
    return list(AlertChannel.objects.filter(enabled=True, failures_in_row__gt=0))


def prune(older_than: timedelta) -> None:
    AlertDelivery.objects.filter(not_before__lt=clock.now() - older_than).delete()
