"""What operations want done regularly."""

from __future__ import annotations

from django.conf import settings

from algomirror.ops import canary, queue

PRUNE_EVERY_S = 3600


def enqueue() -> None:
    for cluster in settings.CLUSTERS:
        canary.ask(cluster)
    if queue.client().set("am:pruned", 1, nx=True, ex=PRUNE_EVERY_S):
        queue.enqueue("signals", "algomirror.ops.tasks.prune", key="prune")
