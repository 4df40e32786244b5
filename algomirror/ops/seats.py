"""How many threads of this process compute at a time, where dozens mostly wait for somebody else's server, and who is next.

Threads that each want the interpreter between two short calls of SQLite hand it to each other hundreds of times for one
account's work, and none is done sooner for it. PostgreSQL answers from elsewhere, and while it does others may compute.
Every wait for a broker lays the seat down (`accounts.gateway.openalgo`): a server that hangs holds up its own account alone.

Who has just begun goes before who is further on: most of anybody's time is spent waiting for servers, so the sooner all have
asked, the sooner all are through. Who hurries goes before both. Nobody waits for ever: every place is a time.
"""

from __future__ import annotations

import heapq
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from algomirror.kernel import clock

ON_SQLITE, ELSEWHERE = 1, 8
# So much later than somebody who has just begun is a thread taken to have come, for each time it has sat before.
BEHIND_S = 0.08
HURRY_S = 0.5

_mine = threading.local()


class _Seats:
    def __init__(self) -> None:
        self._free = number()
        self._lock = threading.Lock()
        # Place in the queue, a number that settles a draw, how often it has sat, and what it waits at.
        self._queue: list[tuple[float, int, int, threading.Lock]] = []
        self._asked = 0

    def take(self, sat: int, *, hurries: bool) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            turn = threading.Lock()
            turn.acquire()
            self._asked += 1
            place = clock.monotonic() + BEHIND_S * sat - HURRY_S * (hurries or not sat)
            heapq.heappush(self._queue, (place, self._asked, sat, turn))
        turn.acquire()

    def leave(self) -> None:
        """To whoever is next, directly."""
        with self._lock:
            if self._queue:
                heapq.heappop(self._queue)[-1].release()
            else:
                self._free += 1

    def newcomers(self) -> int:
        with self._lock:
            return sum(1 for _, _, sat, _ in self._queue if sat == 0)


_seats: _Seats | None = None
_making = threading.Lock()


def number() -> int:
    return ON_SQLITE if connection.vendor == "sqlite" else ELSEWHERE


def _all() -> _Seats:
    global _seats
    if _seats is None:
        with _making:
            _seats = _seats or _Seats()
    return _seats


@contextmanager
def taken() -> Iterator[None]:
    """Compute inside, once a seat is free. Not to be nested."""
    _all().take(0, hurries=False)
    _mine.sat, _mine.hurries = 1, False
    try:
        yield
    finally:
        _mine.sat = 0
        _all().leave()


@contextmanager
def left() -> Iterator[None]:
    """Wait for something inside, while others compute; nothing changes for a thread without a seat."""
    sat: int = getattr(_mine, "sat", 0)
    if not sat:
        yield
        return
    _mine.sat = 0
    _all().leave()
    try:
        yield
    finally:
        _all().take(sat, hurries=_mine.hurries)
        _mine.sat = sat + 1


def hurry() -> None:
    """From now on this thread goes before those that do not hurry: money is on its way out."""
    _mine.hurries = True


def newcomers() -> int:
    """How many threads wait for their first seat: whoever hands out work keeps more of it while there are any."""
    return _all().newcomers()


def _in_a_fork() -> None:
    """The parent's threads, and the seats they sit on, do not cross."""
    global _seats, _making
    _seats, _making, _mine.sat = None, threading.Lock(), 0


os.register_at_fork(after_in_child=_in_a_fork)
