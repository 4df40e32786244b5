"""Every second, one sweep over all open runs, if none is waiting already."""

from __future__ import annotations

from algomirror.ops import queue
from trading.models import Run


def enqueue() -> None:
    if Run.objects.exclude(state=Run.State.CLOSED).exists():
        queue.enqueue("risk", "risk.tasks.sweep", key="risk-sweep", waits_s=5)
