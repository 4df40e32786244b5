"""Order-update streams: one light socket per active account. An update is a hint to look, never a fact.

The same sockets tell how far each server's clock is off, and whether the primary ticks again while a backup feeds us.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from accounts.models import Account
from algomirror.kernel import clock
from algomirror.kernel.errors import Misconfigured
from algomirror.ops.queue import enqueue
from marketdata.feed.client import PING_EVERY_S, Link, Stream
from marketdata.feed.source import endpoint
from marketdata.feed.watch import Pulse

log = logging.getLogger(__name__)


class OrderStreams:
    def __init__(self, *, ping_every_s: float = PING_EVERY_S) -> None:
        self._ping_every_s = ping_every_s
        self._streams: dict[int, tuple[int, Stream]] = {}
        self._pulses: dict[int, Pulse] = {}

    def keep(self, accounts: list[Account]) -> None:
        """Have one stream for each of these accounts, at its present address and key."""
        present = {account.pk: account for account in accounts}
        for account_id, (version, stream) in list(self._streams.items()):
            if account_id not in present or present[account_id].config_version != version:
                stream.stop()
                del self._streams[account_id]
                self._pulses.pop(account_id, None)
        for account in accounts:
            if account.pk not in self._streams:
                self._start(account)

    def probe(self, account_id: int | None, keys: frozenset[str]) -> None:
        """Let this account's socket tick too, and no other's; None: none."""
        for pk, (_, stream) in self._streams.items():
            stream.ledger.want(keys if pk == account_id else ())

    def healthy_s(self, account_id: int) -> float:
        """How long the probed account has ticked without a gap."""
        pulse = self._pulses.get(account_id)
        return 0.0 if pulse is None else pulse.healthy_s(clock.monotonic())

    def skews(self) -> dict[int, tuple[float, float]]:
        """Account -> (its server's clock less ours in seconds, age of the measurement in seconds)."""
        now = clock.monotonic()
        found = {pk: (stream.skew_s, stream.skew_at) for pk, (_, stream) in self._streams.items()}
        return {pk: (skew, now - at) for pk, (skew, at) in found.items() if skew is not None and at is not None}

    def _start(self, account: Account) -> None:
        pulse = self._pulses[account.pk] = Pulse()
        try:
            stream = Stream(
                endpoint(account), _taker(account.pk, pulse), orders=True, pause_s=1.0, ping_every_s=self._ping_every_s
            )
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


def _taker(account_id: int, pulse: Pulse) -> Callable[[dict[str, Any], datetime], None]:
    last: object = None

    def take(frame: dict[str, Any], received_at: datetime) -> None:
        nonlocal last
        if frame.get("type") == "order_update":
            enqueue("orders", "trading.tasks.work", account_id, key=f"work:{account_id}")
        elif (said := frame.get("data")) != last:
            # A feed that repeats one tick for ever is not well.
            last = said
            pulse.tick(clock.monotonic())

    return take
