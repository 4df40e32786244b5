"""Requests that have left, and whose answers nobody has read yet: several of them wait in one thread, their sender's."""

from __future__ import annotations

import math
import select
from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeVar

from algomirror.kernel import clock

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")


class Exchange(Protocol[T_co]):
    """One request that was sent. `until`: monotonic seconds; what has not begun to come by then does not come any more."""

    until: float

    def fileno(self) -> int:
        """The socket; negative where there is nothing to wait for, and `hear` says why."""
        ...

    def hear(self) -> T_co: ...

    def drop(self) -> None:
        """Nobody wants the answer any more. After `hear` it changes nothing."""
        ...


class UnderWay(Generic[T]):
    """A call whose request has left. `finish` waits for its answer and says what it means."""

    def __init__(self, exchange: Exchange[U], understand: Callable[[U], T]) -> None:
        self._exchange = exchange
        self._finish: Callable[[], T] = lambda: understand(exchange.hear())

    @property
    def until(self) -> float:
        return self._exchange.until

    def fileno(self) -> int:
        return self._exchange.fileno()

    def finish(self) -> T:
        return self._finish()

    def drop(self) -> None:
        self._exchange.drop()


def heard(calls: Mapping[int, UnderWay[T]], wait_s: float = math.inf) -> list[int]:
    """Which of them have something to read, or nothing more to wait for; once one has, or after `wait_s`."""
    asked = select.poll()
    by_socket: dict[int, int] = {}
    ready = []
    for n, call in calls.items():
        if (socket := call.fileno()) < 0:
            ready.append(n)
        else:
            by_socket[socket] = n
            asked.register(socket, select.POLLIN)
    left_s = 0.0 if ready else max(min(min(call.until for call in calls.values()) - clock.monotonic(), wait_s), 0.0)
    ready += [by_socket[socket] for socket, _ in asked.poll(math.ceil(left_s * 1000))]
    now = clock.monotonic()
    return sorted({*ready, *(n for n, call in calls.items() if call.until <= now)})
