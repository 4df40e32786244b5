"""Every second, one look at the open runs and at what is scheduled, if none is waiting already; each minute at days to report."""

from __future__ import annotations

from algomirror.kernel import clock
from algomirror.ops import queue
from risk.models import MarginReservation
from strategies.models import Strategy
from strategies.services import reporting
from strategies.webhooks import acts
from trading.models import Run


def enqueue() -> None:
    is_open = Run.objects.exclude(state=Run.State.CLOSED).exists()
    if is_open or MarginReservation.objects.filter(released_at=None).exists():
        queue.enqueue("risk", "strategies.tasks.sweep", key="runs-settle", waits_s=5)
    if acts.has_left_behind():
        queue.enqueue("risk", "strategies.webhooks.tasks.take_up", key="signals-left", waits_s=10)
    if Strategy.objects.filter(scheduled_at__isnull=False, archived_at=None).exists():
        queue.enqueue("signals", "strategies.tasks.scheduled", key="schedules", waits_s=10)
    if acts.lost(clock.now()).exists():
        queue.enqueue("signals", "strategies.webhooks.tasks.close_lost", key="signals-lost", waits_s=10)


def report() -> None:
    if reporting.waiting() is not None:
        queue.enqueue("signals", "strategies.tasks.report", key="day-reports", waits_s=120)
