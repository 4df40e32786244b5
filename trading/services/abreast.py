"""Calls to one account's server side by side. Only the wire happens in these threads; the database stays with the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, as_completed
from typing import TypeVar

from django.conf import settings

from algomirror.ops import threads
from algomirror.ops.outgoing import refuse_in_transaction

T = TypeVar("T")


def run(calls: Sequence[Callable[[], T]], *, meanwhile: Callable[[], None] | None = None) -> Iterator[tuple[int, T]]:
    """Which call answered what, as the answers come. `meanwhile` runs here while they are under way.

    With one call, or WIRE_THREADS at 1, they are made here one after another.
    """
    refuse_in_transaction()
    if len(calls) == 1 or settings.WIRE_THREADS <= 1:
        for n, call in enumerate(calls):
            yield n, call()
        if meanwhile is not None:
            meanwhile()
        return
    wire = threads.pool("wire", settings.WIRE_THREADS)
    under_way: dict[Future[T], int] = {wire.submit(call): n for n, call in enumerate(calls)}
    if meanwhile is not None:
        meanwhile()
    for done in as_completed(under_way):
        yield under_way[done], done.result()


def together(calls: Sequence[Callable[[], T]]) -> list[T]:
    """All answers, in the order of the calls."""
    answers = dict(run(calls))
    return [answers[n] for n in range(len(calls))]
