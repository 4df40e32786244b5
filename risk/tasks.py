"""What the risk cluster does."""

from __future__ import annotations

from risk.services import tracking, watch


def sweep() -> None:
    watch.sweep()


def track_margin() -> None:
    tracking.sample()
