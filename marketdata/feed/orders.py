"""Order-update streams: one light socket per active account. An update is a hint to look, never a fact."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from accounts.models import Account
from algomirror.kernel.errors import Misconfigured
from algomirror.ops.queue import enqueue
from marketdata.feed.client import Link, Stream
from marketdata.feed.source import endpoint

log = logging.getLogger(__name__)


class OrderStreams:
    def __init__(self) -> None:
        self._streams: dict[int, tuple[int, Stream]] = {}

    def keep(self, accounts: list[Account]) -> None:
        """Have one stream for each of these accounts, at its present address and key."""
        present = {account.pk: account for account in accounts}
        for account_id, (version, stream) in list(self._streams.items()):
            if account_id not in present or present[account_id].config_version != version:
                stream.stop()
                del self._streams[account_id]
        for account in accounts:
            if account.pk not in self._streams:
                self._start(account)

    def _start(self, account: Account) -> None:
        try:
            stream = Stream(endpoint(account), _hint_for(account.pk), orders=True, pause_s=1.0)
        except Misconfigured:
            log.exception("order stream cannot be opened account=%s", account.pk)
            return
        stream.start()
        self._streams[account.pk] = (account.config_version, stream)

    def stop(self) -> None:
        for _, stream in self._streams.values():
            stream.stop()
        self._streams.clear()

    def live(self) -> int:
        return sum(stream.link is Link.LIVE for _, stream in self._streams.values())

    def count(self) -> int:
        return len(self._streams)


def _hint_for(account_id: int) -> Callable[[dict[str, Any], datetime], None]:
    def hint(frame: dict[str, Any], received_at: datetime) -> None:
        if frame.get("type") == "order_update":
            enqueue("orders", "trading.tasks.work", account_id, key=f"work:{account_id}")

    return hint
