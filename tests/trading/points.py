"""Every moment between two transactions, where a process may die or another one may come first.

A statement run outside any inner transaction is such a moment, and so are the two ends of a call on the wire. A transaction
is one moment: it happens whole or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

_NOT_A_MOMENT = ("RELEASE", "ROLLBACK", "PRAGMA")


class Crash(BaseException):
    """The process is gone. No handler of ours may catch it."""


class Points:
    """Counts the moments of what runs under `watch` and does `act` at the `at`-th (from 0)."""

    def __init__(self) -> None:
        self.seen = 0
        self.names: list[str] = []
        self._at: int | None = None
        self._act: Callable[[], None] | None = None
        self._where: Callable[[str], bool] | None = None
        self._watching = False
        self._base = 0

    @contextmanager
    def watch(
        self, act: Callable[[], None] | None = None, *, at: int | None = None, where: Callable[[str], bool] | None = None
    ) -> Iterator[Points]:
        """Act once: at the `at`-th moment, or at the first whose name satisfies `where`."""
        self.seen, self.names = 0, []
        self._at, self._act, self._where = at, act, where
        self._base, self._watching = _depth(), True
        try:
            with connection.execute_wrapper(self._on_statement):
                yield self
        finally:
            self._watching, self._act = False, None

    def pass_by(self, name: str) -> None:
        """Called by the wire and by every statement outside a transaction."""
        if not self._watching or _depth() != self._base:
            return
        here, self.seen = self.seen, self.seen + 1
        self.names.append(name)
        act = self._act
        if act is None:
            return
        self._watching = False
        try:
            if here == self._at or (self._where is not None and self._where(name)):
                self._act = None
                act()
        finally:
            self._watching = True

    def _on_statement(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not sql.startswith(_NOT_A_MOMENT):
            self.pass_by(f"sql {sql[:60]}")
        return execute(sql, params, many, context)


def _depth() -> int:
    return len(connection.atomic_blocks)


def die() -> None:
    raise Crash
