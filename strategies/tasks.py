"""What strategies ask of the clusters."""

from __future__ import annotations

from strategies.services import settle


def sweep() -> None:
    settle.sweep()
