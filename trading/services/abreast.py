"""Calls to one account's server side by side. Only the wire happens in these threads; the database stays with the caller."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import TypeVar

from django.conf import settings

from algomirror.ops import seats, threads
from algomirror.ops.outgoing import refuse_in_transaction

T = TypeVar("T")

# Answers that come this close together are written down together.
TOGETHER_S = 0.004


def run(calls: Sequence[Callable[[], T]], *, meanwhile: Callable[[], None] | None = None) -> Iterator[list[tuple[int, T]]]:
    """Which calls answered what, as the answers come. `meanwhile` runs here while they are under way.

    With one call, or WIRE_THREADS at 1, they are made here one after another.
    """
    refuse_in_transaction()
    if len(calls) == 1 or settings.WIRE_THREADS <= 1:
        for n, call in enumerate(calls):
            yield [(n, call())]
        if meanwhile is not None:
            meanwhile()
        return
    wire = threads.pool("wire", settings.WIRE_THREADS)
    under_way: dict[Future[T], int] = {wire.submit(call): n for n, call in enumerate(calls)}
    if meanwhile is not None:
        meanwhile()
    while under_way:
        with seats.left():
            wait(under_way, return_when=FIRST_COMPLETED)
            done, _ = wait(under_way, timeout=TOGETHER_S)
        yield [(under_way.pop(call), call.result()) for call in done]


def together(calls: Sequence[Callable[[], T]]) -> list[T]:
    """All answers, in the order of the calls; the last call is made here."""
    refuse_in_transaction()
    if len(calls) == 1 or settings.WIRE_THREADS <= 1:
        return [call() for call in calls]
    wire = threads.pool("wire", settings.WIRE_THREADS)
    under_way = [wire.submit(call) for call in calls[:-1]]
    try:
        last = calls[-1]()
    finally:
        with seats.left():
            wait(under_way)
    return [*(call.result() for call in under_way), last]
