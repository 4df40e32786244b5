"""What operations want done regularly."""

from __future__ import annotations

from django.conf import settings

from algomirror.kernel import clock
from algomirror.ops import alarms, canary, queue
from algomirror.ops.alerts import standin

PRUNE_EVERY_S = 3600
BACKUP_EVERY_S = 3600
# Longer than the tasks of a queue keep all who serve it: the one that does imports and copies is silent for minutes.
SILENT_S = {"risk": 30.0, "orders": 40.0, "signals": 130.0}
SEAL_EVERY_S = 10
HEAD_EVERY_S = 3600


def enqueue() -> None:
    for cluster in settings.CLUSTERS:
        canary.ask(cluster)
        _ring_where_silent(cluster)
    if queue.client().set("am:pruned", 1, nx=True, ex=PRUNE_EVERY_S):
        queue.enqueue("signals", "algomirror.ops.tasks.prune", key="prune")
    if queue.client().set("am:sealed", 1, nx=True, ex=SEAL_EVERY_S):
        queue.enqueue("signals", "algomirror.ops.tasks.seal_journal", key="seal-journal", waits_s=60)
    if queue.client().set("am:head-noted", 1, nx=True, ex=HEAD_EVERY_S):
        queue.enqueue("signals", "algomirror.ops.tasks.note_journal_head", key="journal-head", waits_s=60)
    queue.enqueue("signals", "algomirror.ops.alerts.tasks.deliver", key="alerts", waits_s=30)
    if settings.BACKUP_DIR and queue.client().set("am:backed-up", 1, nx=True, ex=BACKUP_EVERY_S):
        queue.enqueue("signals", "algomirror.ops.tasks.back_up", key="backup", waits_s=900)


# When this process first asked: what was left unanswered before is nobody's fault who runs now.
_asked_since: float | None = None
_WORK = {
    "risk": "stops are looked at by the feed only, and runs do not settle",
    "orders": "no order leaves, no exit is driven and no book is read",
    "signals": "no indicator, schedule or check of an account is looked at",
}


def tell() -> None:
    """Alarms reach people also while nobody takes tasks."""
    standin.stand_in()


def _ring_where_silent(cluster: str) -> None:
    global _asked_since
    if _asked_since is None:
        _asked_since = clock.now().timestamp()
    silent_s = canary.silent_s(cluster, since=_asked_since)
    if silent_s is not None and silent_s > SILENT_S[cluster]:
        text = f"The {cluster} cluster does no task: {_WORK[cluster]}. Start run_cluster {cluster}."
        alarms.ring("CLUSTER_SILENT", text, key=cluster, silent_s=round(silent_s))
