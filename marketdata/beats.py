"""What the metronome asks of this room. Only enqueues."""

from __future__ import annotations

from algomirror.ops import queue
from marketdata import instruments, viewing


def enqueue() -> None:
    viewing.forget_expired()
    account_id = instruments.due_account()
    if account_id is not None:
        queue.enqueue("signals", "marketdata.tasks.refresh_instruments", account_id, key="instruments", waits_s=60)
    queue.enqueue("signals", "marketdata.tasks.backfill_candles", key="candles", waits_s=60)
