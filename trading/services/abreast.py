"""Calls to one account's server side by side. Only the wire happens in these threads; the database stays with the caller."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from threading import Lock
from typing import TypeVar

from django.conf import settings

from algomirror.ops.outgoing import refuse_in_transaction

T = TypeVar("T")

_pool: tuple[int, ThreadPoolExecutor] | None = None
_making = Lock()


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
    under_way: dict[Future[T], int] = {_executor().submit(call): n for n, call in enumerate(calls)}
    if meanwhile is not None:
        meanwhile()
    for done in as_completed(under_way):
        yield under_way[done], done.result()


def together(calls: Sequence[Callable[[], T]]) -> list[T]:
    """All answers, in the order of the calls."""
    answers = dict(run(calls))
    return [answers[n] for n in range(len(calls))]


def _executor() -> ThreadPoolExecutor:
    """This process's pool; a forked child makes its own."""
    global _pool
    with _making:
        if _pool is None or _pool[0] != os.getpid():
            _pool = (os.getpid(), ThreadPoolExecutor(max_workers=settings.WIRE_THREADS, thread_name_prefix="wire"))
        return _pool[1]
