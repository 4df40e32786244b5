"""Counting failed sign-ins in Redis, shared by all processes. How often one may ask at all: algomirror.frame.security_limits."""

from __future__ import annotations

import logging

import redis

from algomirror.ops import alarms, queue

log = logging.getLogger(__name__)

FAILURES_TO_LOCK = 10
LOCK_S = 15 * 60


def spend(what: str, who: str, *, limit: int, seconds: int) -> bool:
    """Count one; False when `who` has used up `limit` within the window.

    Redis down allows: it also stops most of the product, and the way to the kill switch must not close with it.
    """
    key = f"am:attempts:{what}:{who[:80]}"
    try:
        pipe = queue.client().pipeline()
        pipe.incr(key)
        pipe.expire(key, seconds, nx=True)
        return int(pipe.execute()[0]) <= limit
    except (redis.RedisError, OSError) as error:
        log.warning("attempts not counted what=%s error=%s", what, type(error).__name__)
        return True


def is_locked(username: str) -> bool:
    try:
        count = queue.client().get(_failures(username))
    except (redis.RedisError, OSError) as error:
        log.warning("lock not read error=%s", type(error).__name__)
        return False
    return count is not None and int(count) >= FAILURES_TO_LOCK


def note_failure(username: str) -> None:
    """The tenth within the lock time locks the name and tells the owner; every further one does not prolong it."""
    if not spend("failures", username.lower(), limit=FAILURES_TO_LOCK - 1, seconds=LOCK_S):
        alarms.ring("SIGN_IN_LOCKED", f"Too many failed sign-ins as {username[:20]}: locked for 15 minutes.", key=username[:20])


def note_success(username: str) -> None:
    try:
        queue.client().delete(_failures(username))
    except (redis.RedisError, OSError) as error:
        log.warning("failures not cleared error=%s", type(error).__name__)


def _failures(username: str) -> str:
    return f"am:attempts:failures:{username.lower()[:80]}"
