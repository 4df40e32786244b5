"""What strategies ask of the clusters."""

from __future__ import annotations

from risk.services import reserving
from strategies.services import reporting, schedules, settle


def sweep() -> None:
    settle.sweep()
    reserving.sweep()


def scheduled() -> None:
    schedules.sweep()


def report() -> None:
    reporting.sweep()
