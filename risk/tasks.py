"""What the risk cluster does."""

from __future__ import annotations

from risk.services import watch


def sweep() -> None:
    watch.sweep()
