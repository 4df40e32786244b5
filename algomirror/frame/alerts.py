"""Alarms as pages show them: what rings, and what was silenced lately."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from algomirror.kernel import clock
from algomirror.ops import alarms
from algomirror.ops.alerts import deliver
from algomirror.ops.models import Alarm

SHOWN_AT_MOST = 200
TRAY_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the tray (templates/frame/_event.html)."""

    id: str
    text: str
    severity: str
    at: datetime
    url: str
    ack: str
    snooze: str = ""
    snooze_min: int = 0


@dataclass(frozen=True, slots=True)
class AlertsPage:
    ringing: list[Event]
    snoozed: list[Alarm]
    silenced: list[tuple[Alarm, str]]  # each with the page of its subject, "" without one


def alerts_page(*, may_acknowledge: bool) -> AlertsPage:
    return AlertsPage(
        ringing=events(may_acknowledge=may_acknowledge, at_most=SHOWN_AT_MOST),
        snoozed=list(Alarm.objects.filter(state=Alarm.State.NEW, snoozed_until__gt=clock.now())[:SHOWN_AT_MOST]),
        silenced=[
            (alarm, deliver.page_of(alarm))
            for alarm in Alarm.objects.filter(state=Alarm.State.ACKNOWLEDGED).order_by("-acknowledged_at")[:SHOWN_AT_MOST]
        ],
    )


def events(*, may_acknowledge: bool, at_most: int = TRAY_AT_MOST) -> list[Event]:
    return [
        Event(
            id=f"alarm-{alarm.pk}",
            text=alarm.text,
            severity="alarm",
            at=alarm.last_at,
            url=deliver.page_of(alarm),
            ack=f"/alerts/{alarm.pk}/ack" if may_acknowledge else "",
            snooze=f"/alerts/{alarm.pk}/snooze" if may_acknowledge else "",
            snooze_min=alarms.SNOOZE_CRITICAL_MIN,
        )
        for alarm in alarms.ringing()[:at_most]
    ]
