from __future__ import annotations

from trading.services import wake, work


def enqueue() -> None:
    wake.wake(work.due_accounts())
