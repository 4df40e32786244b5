"""Calls to one account's server side by side. Only the wire happens in these threads; the database stays with the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from threading import Lock
from typing import Generic, TypeVar

from django.conf import settings

from accounts.gateway import limits
from algomirror.ops import seats, threads
from algomirror.ops.outgoing import refuse_in_transaction

T = TypeVar("T")

# Answers that come this close together are written down together.
TOGETHER_S = 0.004


def is_possible() -> bool:
    """With WIRE_THREADS at 1 calls are made one after another, by who wants their answers."""
    return bool(settings.WIRE_THREADS > 1)


def expect(account_id: int, kind: limits.Kind, calls: int, *, exit: bool) -> None:
    """So many calls to the account's server are made next: where they leave together, one question asks for their budget."""
    if is_possible():
        limits.expect(account_id, kind, calls, exit=exit)


class Calls(Generic[T]):
    """They go out at `begin`, or when their answers are wanted.

    `lastly` runs once all have answered, in the thread of the last and before its answer is told; it does not raise.
    """

    def __init__(self, calls: Sequence[Callable[[], T]], *, lastly: Callable[[], None] | None = None) -> None:
        self._calls, self._lastly = calls, lastly
        self._left, self._counting = len(calls), Lock()
        self._under_way: dict[Future[T], int] = {}

    def begin(self) -> None:
        """Off they go, once."""
        if self._under_way or not is_possible():
            return
        refuse_in_transaction()
        wire = threads.pool("wire", settings.WIRE_THREADS)
        for n, call in enumerate(self._calls):
            # One by one: where a thread is not to be had any more, what went out before is not sent again.
            self._under_way[wire.submit(self._make, call)] = n

    def _make(self, call: Callable[[], T]) -> T:
        answer = call()
        with self._counting:
            self._left -= 1
            is_last = not self._left
        if is_last and self._lastly is not None:
            self._lastly()
        return answer

    def answers(self, *, meanwhile: Callable[[], None]) -> Iterator[list[tuple[int, T]]]:
        """Which calls answered what, as the answers come. `meanwhile` runs here while they are under way."""
        self.begin()
        if not self._under_way:
            refuse_in_transaction()
            for n, call in enumerate(self._calls):
                yield [(n, self._make(call))]
        meanwhile()
        under_way = dict(self._under_way)
        while under_way:
            with seats.left():
                wait(under_way, return_when=FIRST_COMPLETED)
                done, _ = wait(under_way, timeout=TOGETHER_S)
            yield [(under_way.pop(call), call.result()) for call in done]

    def all(self) -> list[T]:
        """All answers, in the order of the calls."""
        self.begin()
        if not self._under_way:
            refuse_in_transaction()
            return [self._make(call) for call in self._calls]
        with seats.left():
            wait(self._under_way)
        return [call.result() for call in self._under_way]


def begun(*calls: Callable[[], T]) -> Calls[T]:
    """Off they are."""
    made = Calls(calls)
    made.begin()
    return made
