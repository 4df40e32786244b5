"""The header's numbers to all open pages, and the readiness board each minute, if nothing of the kind is waiting already."""

from __future__ import annotations

from algomirror.ops import queue, readiness


def enqueue() -> None:
    queue.enqueue("signals", "algomirror.frame.tasks.publish", key="frame-publish", waits_s=10)
    if readiness.is_due():
        queue.enqueue("signals", "algomirror.frame.tasks.check_readiness", key="readiness", waits_s=60)
