"""Putting work on a cluster, once: a beat that finds the same work still waiting adds nothing."""

from __future__ import annotations

import logging
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, OperationalError
from django.utils.module_loading import import_string

log = logging.getLogger(__name__)

# A connection that tells Redis who made it looks its own version up on the disk, and makes two calls more.
NAMELESS: Any = None
_client: redis.Redis | None = None


def client() -> redis.Redis:
    """This process's pooled connection to Redis; short time-outs, because nothing may wait long for it."""
    global _client
    if _client is None:
        _client = redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=2.0, socket_connect_timeout=1.0, health_check_interval=15, driver_info=NAMELESS
        )
    return _client


def enqueue(cluster: str, task: str, *args: int | str, key: str = "", waits_s: int = 10) -> bool:
    """Queue `task` (dotted path) with ids only. With `key`, nothing is added while the same key still waits.

    `waits_s` bounds how long a lost task may block its key. False when nothing was queued, also when Redis is down:
    the next beat asks again, and no caller may depend on the queue for correctness.
    """
    from django_q.tasks import async_task

    try:
        if key and not client().set(f"am:queued:{key}", 1, nx=True, ex=waits_s):
            return False
        async_task(
            "algomirror.ops.queue.run", task, key, *args, q_options={"cluster": cluster, "save": False, "ack_failure": True}
        )
    except (redis.RedisError, OSError) as error:
        log.warning("queue down task=%s error=%s", task, type(error).__name__)
        return False
    return True


def run(task: str, key: str, *args: int | str) -> Any:
    """What the cluster executes: free the key first, so that news arriving meanwhile is queued again. What raises rings."""
    if key:
        try:
            client().delete(f"am:queued:{key}")
        except (redis.RedisError, OSError):
            log.warning("queue key not freed key=%s", key)
    try:
        return import_string(task)(*args)
    except (OperationalError, redis.RedisError, OSError):
        raise  # it passes, or the store that is away has alarms of its own
    except Exception as error:
        # It is asked for again and again, and the cluster only writes a log.
        _ring(task, error)
        raise


def _ring(task: str, error: Exception) -> None:
    from algomirror.ops import alarms  # it tells the pages, by this module

    try:
        alarms.ring("TASK_FAILED", f"{task} fails, and what it does stands still: {type(error).__name__}: {error}", key=task)
    except DatabaseError:
        log.exception("alarm not stored task=%s", task)


def depth(cluster: str) -> int:
    """How many tasks wait. Raises redis.RedisError when nobody can say."""
    waiting = client().llen(f"django_q:{cluster}:q")
    return int(waiting)
