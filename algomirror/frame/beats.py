"""The header's numbers to all open pages, and the readiness board each minute, if nothing of the kind is waiting already."""

from __future__ import annotations

from algomirror.ops import queue

CHECKED_EVERY_S = 60


def enqueue() -> None:
    queue.enqueue("signals", "algomirror.frame.tasks.publish", key="frame-publish", waits_s=10)
    if queue.client().set("am:readiness", 1, nx=True, ex=CHECKED_EVERY_S):
        queue.enqueue("signals", "algomirror.frame.tasks.check_readiness", key="readiness", waits_s=60)
