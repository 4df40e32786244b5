"""How many threads of this process compute at a time, where dozens mostly wait for somebody else's server.

Threads that each want the interpreter between two short calls of SQLite hand it to each other hundreds of times for one
account's work, and none is done sooner for it. PostgreSQL answers from elsewhere, and while it does others may compute.
Every wait for a broker lays the seat down (`accounts.gateway.openalgo`): a server that hangs holds up its own account alone.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

ON_SQLITE, ELSEWHERE = 1, 8

_mine = threading.local()


class _Seats:
    def __init__(self) -> None:
        self._free = threading.Semaphore(number())
        self._counting = threading.Lock()
        self.waiting = 0

    def take(self) -> None:
        if not self._free.acquire(blocking=False):
            with self._counting:
                self.waiting += 1
            self._free.acquire()
            with self._counting:
                self.waiting -= 1

    def leave(self) -> None:
        self._free.release()


_seats: _Seats | None = None
_making = threading.Lock()


def _all() -> _Seats:
    global _seats
    if _seats is None:
        with _making:
            _seats = _seats or _Seats()
    return _seats


def number() -> int:
    return ON_SQLITE if connection.vendor == "sqlite" else ELSEWHERE


@contextmanager
def taken() -> Iterator[None]:
    """Compute inside, once a seat is free. Not to be nested."""
    _all().take()
    _mine.sits = True
    try:
        yield
    finally:
        _mine.sits = False
        _all().leave()


@contextmanager
def left() -> Iterator[None]:
    """Wait for something inside, while others compute; nothing changes for a thread without a seat."""
    if not getattr(_mine, "sits", False):
        yield
        return
    _mine.sits = False
    _all().leave()
    try:
        yield
    finally:
        _all().take()
        _mine.sits = True


def waiting() -> int:
    """How many threads would compute if they could: an estimate, for whoever hands out work."""
    return _all().waiting


def _in_a_fork() -> None:
    """The parent's threads, and the seats they sit on, do not cross."""
    global _seats, _making
    _seats, _making, _mine.sits = None, threading.Lock(), False


os.register_at_fork(after_in_child=_in_a_fork)
