"""Every second, one sweep over what is open and what is limited, and one look at closed bars, if none is waiting already."""

from __future__ import annotations

from algomirror.kernel import clock
from algomirror.ops import queue
from risk.models import AccountLimits, EntryLock, GroupLimits, GuardState
from trading.models import Run


def enqueue() -> None:
    is_open = Run.objects.exclude(state=Run.State.CLOSED).exists()
    if is_open or _is_limited():
        queue.enqueue("risk", "risk.tasks.sweep", key="risk-sweep", waits_s=5)
    if not is_open:
        return
    watching = GuardState.objects.filter(rule="SUPERTREND").exclude(state=GuardState.State.TRIPPED)
    if watching.exclude(run__state=Run.State.CLOSED).exists():
        queue.enqueue("signals", "risk.signals.tasks.look", key="supertrend", waits_s=10)


def _is_limited() -> bool:
    """Limits above the run count tickets, and runs that ended: with one set, or a lock standing, there is something to see."""
    if AccountLimits.objects.exists() or GroupLimits.objects.exists():
        return True
    return EntryLock.objects.filter(until__gt=clock.now(), released_by="").exists()


def track_margin() -> None:
    queue.enqueue("signals", "risk.tasks.track_margin", key="margin-tracker", waits_s=60)
