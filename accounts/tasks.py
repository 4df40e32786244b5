"""Doors of the queue."""

from __future__ import annotations

from accounts import health


def check_links(*account_ids: int) -> None:
    health.check_links(account_ids)
