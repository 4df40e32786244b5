"""Telling the orders cluster that an account has work. Lost news costs a beat, never correctness."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import redis
from django.db import transaction

from algomirror.ops import hooks, push, queue

log = logging.getLogger(__name__)

DUE = "am:work:due"


def wake(account_ids: Iterable[int]) -> None:
    """Once the caller's transaction is committed, have these accounts worked on by the first free worker."""
    ids = sorted(set(account_ids))
    if ids:
        transaction.on_commit(lambda: _wake(ids))


def _wake(ids: list[int]) -> None:
    try:
        queue.client().sadd(DUE, *ids)
    except (redis.RedisError, OSError) as error:
        log.warning("wake lost accounts=%s error=%s", ids, type(error).__name__)
        return
    # Two slots: while one pump is busy a second one may start, a third would find nothing to do.
    for slot in ("a", "b"):
        if queue.enqueue("orders", "trading.tasks.pump", key=f"pump:{slot}", waits_s=3):
            return


def take() -> list[int]:
    """All accounts that asked for work; empty when none, or when Redis is down."""
    try:
        found = queue.client().spop(DUE, 500)
    except (redis.RedisError, OSError):
        return []
    return sorted(int(x) for x in found or ())


def book_changed(book_id: int) -> None:
    """News of a book, after commit: to its run, and to whoever looks at it."""
    transaction.on_commit(lambda: _book_changed(book_id))


def _book_changed(book_id: int) -> None:
    hooks.call("book_changed", book_id)
    push.push("orders", "changed")
    push.push("positions", "changed")
