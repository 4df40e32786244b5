"""The header's numbers to all open pages, if nothing of the kind is waiting already."""

from __future__ import annotations

from algomirror.ops import queue


def enqueue() -> None:
    queue.enqueue("signals", "algomirror.frame.tasks.publish", key="frame-publish", waits_s=10)
