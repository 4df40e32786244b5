"""Doors of the queue."""

from __future__ import annotations

from strategies.webhooks import acts


def start(signal_id: int) -> None:
    acts.start(signal_id)


def close_lost() -> None:
    acts.close_lost()


def take_up() -> None:
    acts.take_up()
