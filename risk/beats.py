"""Every second, one sweep over all open runs, and one look at closed bars, if none is waiting already."""

from __future__ import annotations

from algomirror.ops import queue
from risk.models import GuardState
from trading.models import Run


def enqueue() -> None:
    if not Run.objects.exclude(state=Run.State.CLOSED).exists():
        return
    queue.enqueue("risk", "risk.tasks.sweep", key="risk-sweep", waits_s=5)
    watching = GuardState.objects.filter(rule="SUPERTREND").exclude(state=GuardState.State.TRIPPED)
    if watching.exclude(run__state=Run.State.CLOSED).exists():
        queue.enqueue("signals", "risk.signals.tasks.look", key="supertrend", waits_s=10)


def track_margin() -> None:
    queue.enqueue("signals", "risk.tasks.track_margin", key="margin-tracker", waits_s=60)
