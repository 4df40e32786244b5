"""Calls to one account's server side by side. Where threads make them, the database stays with the caller."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from itertools import chain
from threading import Lock
from typing import Generic, TypeVar

from django.conf import settings

from accounts.gateway import limits, underway
from accounts.gateway.underway import UnderWay
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


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """`make` sends and waits; `start` sends what can leave at once, or gives None and has sent nothing."""

    make: Callable[[], T]
    start: Callable[[], UnderWay[T] | None]


class Calls(Generic[T]):
    """They go out at `begin`, or when their answers are wanted.

    Where all can leave at once no other thread has a part in it: who wants the answers waits at the sockets. Otherwise each
    has a thread of its own, and a connection or a budget that is waited for delays none but its own call.
    `lastly` runs once all have answered, and before the last answer is told; it does not raise.
    """

    def __init__(self, calls: Sequence[Callable[[], T] | Call[T]], *, lastly: Callable[[], None] | None = None) -> None:
        self._calls = [call if isinstance(call, Call) else Call(call, _cannot) for call in calls]
        self._lastly = lastly
        self._left, self._counting = len(calls), Lock()
        self._started: dict[int, UnderWay[T]] = {}
        self._under_way: dict[Future[T], int] = {}

    def begin(self) -> None:
        """Off they go, once."""
        if self._started or self._under_way or not is_possible():
            return
        refuse_in_transaction()
        for n, call in enumerate(self._calls):
            if (started := call.start()) is not None:
                self._started[n] = started
        if len(self._started) == len(self._calls):
            return
        wire = threads.pool("wire", settings.WIRE_THREADS)
        for n, call in enumerate(self._calls):
            # One by one: where a thread is not to be had any more, what went out before is not sent again.
            make = self._started[n].finish if n in self._started else call.make
            self._under_way[wire.submit(self._make, make)] = n

    def drop(self) -> None:
        """Nobody wants their answers any more."""
        if not self._under_way:
            for call in self._started.values():
                call.drop()

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
        if not self._started and not self._under_way:
            refuse_in_transaction()
            for n, call in enumerate(self._calls):
                yield [(n, self._make(call.make))]
        meanwhile()
        if not self._under_way:
            yield from self._heard()
        under_way = dict(self._under_way)
        while under_way:
            with seats.left():
                wait(under_way, return_when=FIRST_COMPLETED)
                done, _ = wait(under_way, timeout=TOGETHER_S)
            yield [(under_way.pop(call), call.result()) for call in done]

    def _heard(self) -> Iterator[list[tuple[int, T]]]:
        waiting = dict(self._started)
        while waiting:
            answers: list[tuple[int, T]] = []
            with seats.left():
                for wait_s in (math.inf, TOGETHER_S):
                    ready = underway.heard(waiting, wait_s) if waiting else []
                    answers += [(n, self._make(waiting.pop(n).finish)) for n in ready]
            yield answers

    def all(self) -> list[T]:
        """All answers, in the order of the calls."""
        self.begin()
        if self._started and not self._under_way:
            found = dict(chain.from_iterable(self._heard()))
            return [found[n] for n in range(len(self._calls))]
        if not self._under_way:
            refuse_in_transaction()
            return [self._make(call.make) for call in self._calls]
        with seats.left():
            wait(self._under_way)
        return [call.result() for call in self._under_way]


def _cannot() -> None:
    return None


def begun(*calls: Callable[[], T] | Call[T]) -> Calls[T]:
    """Off they are."""
    made = Calls(calls)
    made.begin()
    return made
