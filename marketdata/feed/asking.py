"""Prices asked by REST for symbols that the stream leaves silent. A thread, so that a slow server delays nobody."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from threading import Event, Lock, Thread

from django.db import close_old_connections

from marketdata import rest
from marketdata.domain.quotes import Quote

log = logging.getLogger(__name__)

EVERY_S = 1.0
MOST_AT_ONCE = 100


class Asker(Thread):
    """At most one round a second; within a round the symbols that matter most first."""

    def __init__(self, on_quote: Callable[[Quote], None]) -> None:
        super().__init__(name="asker", daemon=True)
        self.rounds = 0
        self.answered = 0
        self._on_quote = on_quote
        self._late: tuple[str, ...] = ()
        self._once: dict[str, None] = {}
        self._lock = Lock()
        self._halt = Event()

    def stop(self) -> None:
        self._halt.set()

    def ask(self, late: Iterable[str], once: Iterable[str] = ()) -> None:
        """`late` replaces what the next round asks first; `once` is added and stays until it was asked."""
        with self._lock:
            self._late = tuple(late)
            self._once.update(dict.fromkeys(once))

    def _take(self) -> list[str]:
        with self._lock:
            due = list(dict.fromkeys([*self._late, *self._once]))[:MOST_AT_ONCE]
            self._late = ()
            for key in due:
                self._once.pop(key, None)
        return due

    def run(self) -> None:
        while not self._halt.wait(EVERY_S):
            due = self._take()
            if not due:
                continue
            try:
                self._round(due)
            except Exception:
                log.exception("asking failed symbols=%s", len(due))
            finally:
                close_old_connections()

    def _round(self, due: list[str]) -> None:
        self.rounds += 1
        for quote in rest.refresh(due).values():
            self.answered += 1
            self._on_quote(quote)
