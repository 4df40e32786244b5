"""Sends what rings from the metronome's process while the cluster that does it otherwise takes no tasks, or Redis is away.

Each alert is claimed by its row, so that two who send at once send it once.
"""

from __future__ import annotations

import logging
import threading

import redis
from django.db import DatabaseError, connection

from algomirror.ops import canary
from algomirror.ops.alerts import deliver

log = logging.getLogger(__name__)

CLUSTER = "signals"
HEARD_WITHIN_S = 20.0
_at_work = threading.Lock()


def is_needed() -> bool:
    try:
        age_s = canary.age_s(CLUSTER)
    except (redis.RedisError, OSError):
        return True
    return age_s is None or age_s > HEARD_WITHIN_S


def stand_in() -> None:
    """In a thread of its own: no beat waits for somebody's mail server."""
    if not is_needed() or not _at_work.acquire(blocking=False):
        return
    try:
        threading.Thread(target=_deliver, name="alerts", daemon=True).start()
    except RuntimeError:
        _at_work.release()
        raise


def _deliver() -> None:
    try:
        deliver.run()
    except DatabaseError as error:
        log.warning("alerts wait for the database error=%s", type(error).__name__)
    finally:
        connection.close()
        _at_work.release()
