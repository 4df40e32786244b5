"""Prices asked by REST for symbols that the stream leaves silent. A thread, so that a slow server delays nobody."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from decimal import Decimal
from threading import Event, Lock, Thread

from django.db import close_old_connections, connection

from accounts.models import Account
from algomirror.kernel import clock
from algomirror.ops import alarms
from marketdata import rest
from marketdata.domain.quotes import Quote

log = logging.getLogger(__name__)

EVERY_S = 1.0
MOST_AT_ONCE = 100
# A server that did not answer is asked after the others for so long: its silence would cost every round its time-out.
SULKS_S = 30.0
# An index moves every second of a session: a server that repeats its figures for so long stands still.
STILL_S = 15.0
# What was asked longer ago than this says nothing about the time between.
GAP_S = 5.0


class Stillness:
    """Which accounts' answers do not move any more, judged by the indices among them."""

    def __init__(self) -> None:
        self._said: dict[int, tuple[dict[str, Decimal], float, float]] = {}
        self._still: dict[int, dict[str, Decimal]] = {}

    def note(self, account_id: int, said: Mapping[str, Quote], now: float) -> bool:
        """True while this account repeats what it has said for too long; one that was still needs to move first."""
        indices = {key: quote.last_price for key, quote in said.items() if key.partition(":")[0].endswith("_INDEX")}
        if not indices:
            return account_id in self._still
        if indices == self._still.get(account_id):
            return True
        self._still.pop(account_id, None)
        before, since, asked = self._said.get(account_id, ({}, now, now))
        if indices != before or now - asked > GAP_S:
            since = now
        self._said[account_id] = (indices, since, now)
        if now - since <= STILL_S:
            return False
        self._still[account_id] = indices
        return True


class Asker(Thread):
    """At most one round a second; within a round the symbols that matter most first."""

    def __init__(self, on_quote: Callable[[Quote], None]) -> None:
        super().__init__(name="asker", daemon=True)
        self.rounds = 0
        self.answered = 0
        self._on_quote = on_quote
        self._late: tuple[str, ...] = ()
        self._once: dict[str, None] = {}
        self._failed_at: dict[int, float] = {}
        self._stillness = Stillness()
        self._lock = Lock()
        self._halt = Event()
        self._wake = Event()

    def stop(self) -> None:
        self._halt.set()
        self._wake.set()

    def ask(self, late: Iterable[str], once: Iterable[str] = ()) -> None:
        """`late` replaces what the next round asks first; `once` is added and stays until it was asked."""
        with self._lock:
            self._late = tuple(late)
            self._once.update(dict.fromkeys(once))
            if self._late or self._once:
                self._wake.set()

    def _take(self) -> list[str]:
        with self._lock:
            due = list(dict.fromkeys([*self._late, *self._once]))[:MOST_AT_ONCE]
            self._late = ()
            for key in due:
                self._once.pop(key, None)
        return due

    def run(self) -> None:
        with closing(connection):
            while not self._halt.is_set():
                self._wake.wait(EVERY_S)
                self._wake.clear()
                due = self._take()
                if not due or self._halt.is_set():
                    continue
                try:
                    self._round(due)
                except Exception:
                    log.exception("asking failed symbols=%s", len(due))
                finally:
                    close_old_connections()
                self._halt.wait(EVERY_S)

    def _round(self, due: list[str]) -> None:
        self.rounds += 1
        now = clock.monotonic()
        accounts = sorted(rest.feed_accounts(), key=lambda a: now - self._failed_at.get(a.pk, float("-inf")) < SULKS_S)
        for quote in rest.refresh(due, accounts, on_failed=self._failed, on_answer=self._answered).values():
            self.answered += 1
            self._on_quote(quote)

    def _answered(self, account: Account, said: Mapping[str, Quote]) -> None:
        """A server that stands still is believed for want of a better one, but asked after the others, and a person is told."""
        if not self._stillness.note(account.pk, said, clock.monotonic()):
            return
        if clock.monotonic() - self._failed_at.get(account.pk, float("-inf")) >= SULKS_S:
            text = f"{account.name}: its prices by REST have not moved for {STILL_S:.0f} s in a session; others are asked first."
            alarms.ring("FEED_STILL", text, key=str(account.pk), account_id=account.pk)
        self._failed(account.pk)

    def _failed(self, account_id: int) -> None:
        self._failed_at[account_id] = clock.monotonic()
