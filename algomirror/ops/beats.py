"""What operations want done regularly."""

from __future__ import annotations

from django.conf import settings

from algomirror.ops import canary, queue
from algomirror.ops.alerts import standin

PRUNE_EVERY_S = 3600
BACKUP_EVERY_S = 3600
SEAL_EVERY_S = 10
HEAD_EVERY_S = 3600


def enqueue() -> None:
    for cluster in settings.CLUSTERS:
        canary.ask(cluster)
    if queue.client().set("am:pruned", 1, nx=True, ex=PRUNE_EVERY_S):
        queue.enqueue("signals", "algomirror.ops.tasks.prune", key="prune")
    if queue.client().set("am:sealed", 1, nx=True, ex=SEAL_EVERY_S):
        queue.enqueue("signals", "algomirror.ops.tasks.seal_journal", key="seal-journal", waits_s=60)
    if queue.client().set("am:head-noted", 1, nx=True, ex=HEAD_EVERY_S):
        queue.enqueue("signals", "algomirror.ops.tasks.note_journal_head", key="journal-head", waits_s=60)
    queue.enqueue("signals", "algomirror.ops.alerts.tasks.deliver", key="alerts", waits_s=30)
    if settings.BACKUP_DIR and queue.client().set("am:backed-up", 1, nx=True, ex=BACKUP_EVERY_S):
        queue.enqueue("signals", "algomirror.ops.tasks.back_up", key="backup", waits_s=900)


def tell() -> None:
    """Alarms reach people also while nobody takes tasks."""
    standin.stand_in()
