"""Asking for the books of accounts: the poller reads them, whoever wants to know."""

from __future__ import annotations

from collections.abc import Iterable

from algomirror.ops import queue


def ask(account_ids: Iterable[int]) -> int:
    """Have these accounts' books read now; of how many it was asked. 0: a reading was asked already, or the queue is down."""
    return sum(bool(queue.enqueue("orders", "trading.tasks.sync", pk, key=f"sync:{pk}")) for pk in account_ids)
