"""The header's numbers to all open pages, and the readiness board each minute, if nothing of the kind is waiting already."""

from __future__ import annotations

from django.conf import settings

from algomirror.kernel import clock
from algomirror.ops import hooks, queue, readiness

# India's night, when nothing trades.
DRILL_HOURS, DRILLED_EVERY_S = range(1, 5), 20 * 3600


def enqueue() -> None:
    queue.enqueue("signals", "algomirror.frame.tasks.publish", key="frame-publish", waits_s=10)
    if _is_night() and queue.client().set("am:drilled", 1, nx=True, ex=DRILLED_EVERY_S):
        queue.enqueue("signals", "algomirror.frame.tasks.drill_restore", key="drill", waits_s=3600)
    if readiness.is_due():
        queue.enqueue("signals", "algomirror.frame.tasks.check_readiness", key="readiness", waits_s=60)


def _is_night() -> bool:
    return bool(settings.BACKUP_DIR) and hooks.call("local", clock.now()).hour in DRILL_HOURS
