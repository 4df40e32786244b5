"""Doors of the queue."""

from __future__ import annotations

from algomirror.ops.alerts import deliver as delivering


def deliver() -> None:
    delivering.run()
