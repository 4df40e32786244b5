"""How many threads of this process compute at a time, where dozens mostly wait for somebody else's server, and who is next.

Threads that each want the interpreter between two short calls of SQLite hand it to each other hundreds of times for one
account's work, and none is done sooner for it. PostgreSQL answers from elsewhere, and while it does others may compute.
Every wait for a broker lays the seat down (`accounts.gateway.openalgo`): a server that hangs holds up its own account alone.

A seat has its own connection to the database, taken over by whoever sits: what SQLite compiled and read for one account
serves the next, where every thread's own connection began cold, and PostgreSQL holds a connection a seat, not a thread.

Who came first is next, and who hurries goes before who does not. Nobody waits for ever: every place is a time.
"""

from __future__ import annotations

import heapq
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

from algomirror.kernel import clock
from algomirror.ops import here

ON_SQLITE, ELSEWHERE = 1, 8
# So much earlier than it did is a thread taken to have come that hurries.
HURRY_S = 0.5

_mine = threading.local()


class _Seats:
    def __init__(self) -> None:
        self._free = number()
        self._is_closed = False
        self._lock = threading.Lock()
        # Place in the queue, a number that settles a draw, whether it has never sat, and what it waits at.
        self._queue: list[tuple[float, int, bool, threading.Lock]] = []
        self._asked = 0
        # Of the seats nobody sits on; the one used last is the next to be used.
        self._connections: list[Any] = []

    def take(self, *, is_new: bool, hurries: bool) -> None:
        with self._lock:
            if self._free and not self._is_closed:
                self._free -= 1
                return
            turn = threading.Lock()
            turn.acquire()
            self._asked += 1
            place = clock.monotonic() - HURRY_S * hurries
            heapq.heappush(self._queue, (place, self._asked, is_new, turn))
        turn.acquire()

    def leave(self) -> None:
        """To whoever is next, directly."""
        with self._lock:
            self._free += 1
            self._hand_out()

    def close(self, closed: bool) -> None:
        with self._lock:
            self._is_closed = closed
            self._hand_out()

    def _hand_out(self) -> None:
        while self._free and self._queue and not self._is_closed:
            self._free -= 1
            heapq.heappop(self._queue)[-1].release()

    def sit_down(self, *, anew: bool) -> None:
        """This thread works with a seat's connection from here on; its own is kept for when it gets up.

        `anew`: not only after a wait. Asking PostgreSQL whether it is still there takes a call of its own.
        """
        _mine.own = here.connection()
        with self._lock:
            kept = self._connections.pop() if self._connections else None
        if kept is None:
            kept = connections.create_connection(DEFAULT_DB_ALIAS)
            kept.inc_thread_sharing()
        if anew or kept.errors_occurred:
            kept.close_if_unusable_or_obsolete()
        here.work_with(kept, in_hand=True)

    def get_up(self) -> None:
        with self._lock:
            self._connections.append(here.connection())
        here.work_with(_mine.own, in_hand=False)

    def newcomers(self) -> int:
        with self._lock:
            return sum(is_new for _, _, is_new, _ in self._queue)


_seats: _Seats | None = None
_making = threading.Lock()


def number() -> int:
    return ON_SQLITE if here.connection().vendor == "sqlite" else ELSEWHERE


def _all() -> _Seats:
    global _seats
    if _seats is None:
        with _making:
            _seats = _seats or _Seats()
    return _seats


@contextmanager
def taken() -> Iterator[None]:
    """Compute inside, once a seat is free. Not to be nested."""
    _sit(is_new=True, hurries=False)
    try:
        yield
    finally:
        _rise()


@contextmanager
def left() -> Iterator[None]:
    """Wait for something inside, while others compute; nothing changes for a thread without a seat, or in a transaction."""
    if not is_seated() or here.connection().in_atomic_block:
        yield
        return
    _rise()
    try:
        yield
    finally:
        _sit(is_new=False, hurries=_mine.hurries)


def _sit(*, is_new: bool, hurries: bool) -> None:
    seats = _all()
    seats.take(is_new=is_new, hurries=hurries)
    try:
        seats.sit_down(anew=is_new)
    except BaseException:
        seats.leave()
        raise
    _mine.is_seated, _mine.hurries = True, hurries


def _rise() -> None:
    if not is_seated():
        return
    seats = _all()
    _mine.is_seated = False
    seats.get_up()
    seats.leave()


@contextmanager
def closed() -> Iterator[None]:
    """Nobody sits down while this lasts; who sits goes on. For the one everybody waits for."""
    _all().close(True)
    try:
        yield
    finally:
        _all().close(False)


def is_seated() -> bool:
    return bool(getattr(_mine, "is_seated", False))


def hurry() -> None:
    """From now on this thread goes before those that do not hurry: money is on its way out."""
    _mine.hurries = True


def newcomers() -> int:
    """How many threads wait for their first seat: whoever hands out work keeps more of it while there are any."""
    return _all().newcomers()


def _in_a_fork() -> None:
    """The parent's threads, and the seats they sit on, do not cross."""
    global _seats, _making
    _seats, _making, _mine.is_seated = None, threading.Lock(), False


os.register_at_fork(after_in_child=_in_a_fork)
