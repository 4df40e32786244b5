from __future__ import annotations

from algomirror.ops import queue
from trading.services import expire, holdings, wake, work


def enqueue() -> None:
    wake.wake(work.due_accounts())
    wake.call_a_pump()


def read_holdings() -> None:
    if account_ids := holdings.due():
        queue.enqueue("signals", "trading.tasks.holdings", *account_ids, key="holdings", waits_s=60)


def settle_expired() -> None:
    if expire.due():
        queue.enqueue("orders", "trading.tasks.settle_expired", key="expired", waits_s=60)
