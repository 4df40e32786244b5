"""What the metronome asks of this room. Only enqueues."""

from __future__ import annotations

from accounts import health
from algomirror.ops import queue


def enqueue() -> None:
    """One task for all accounts whose check is due; down ones wait longer, so they are rarely among them."""
    account_ids = health.due()
    if account_ids:
        queue.enqueue("signals", "accounts.tasks.check_links", *account_ids, key="links", waits_s=30)
