"""The call budget of one account, shared by all processes: never more than `rate` calls within any second.

A log of the last grants rather than a refilling bucket: the servers count in a moving window, where a bucket that
had rested would allow twice its rate. Exits may use every grant and wait; entries leave a reserve.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from threading import Lock
from typing import Literal

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from algomirror.kernel import clock
from algomirror.ops import queue

log = logging.getLogger(__name__)

Kind = Literal["orders", "reads", "history"]
RESERVE_FOR_EXITS = 2
# A little over a second: calls granted in time order may arrive with different delays.
WINDOW_US = 1_050_000
_PAUSE_AFTER_FAILURE_S = 1.0

# KEYS[1] grants, newest first; ARGV: limit, kept, window. Returns the microseconds to wait, 0 when granted.
_SCRIPT = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local oldest = redis.call('LINDEX', KEYS[1], ARGV[1] - 1)
if oldest then
  local wait = oldest + ARGV[3] - now
  if wait > 0 and wait <= tonumber(ARGV[3]) then return wait end
end
redis.call('LPUSH', KEYS[1], string.format('%.0f', now))
redis.call('LTRIM', KEYS[1], 0, ARGV[2] - 1)
redis.call('PEXPIRE', KEYS[1], 5000)
return 0
"""

_grant: Script | None = None
_down_until = 0.0
_local: dict[tuple[int, Kind], deque[float]] = {}
_local_lock = Lock()


def take(account_id: int, kind: Kind, rate: int, *, exit: bool, wait_s: float) -> bool:
    """Wait at most `wait_s` for the right to make one call; False when it did not come.

    With Redis down each process counts for itself at half the rate, and entries are refused.
    """
    limit = rate if exit or kind != "orders" else max(rate - RESERVE_FOR_EXITS, 1)
    started, slept = clock.monotonic(), 0.0
    while True:
        wait = _wait_needed(account_id, kind, limit, rate, exit=exit)
        if wait is None:
            return False
        if wait <= 0:
            return True
        # Both measures: a test's clock may stand still while we sleep.
        if max(slept, clock.monotonic() - started) + wait > wait_s:
            return False
        time.sleep(wait)
        slept += wait


def _wait_needed(account_id: int, kind: Kind, limit: int, rate: int, *, exit: bool) -> float | None:
    """Seconds until the next grant, 0 when granted now, None when refused outright."""
    global _down_until
    if clock.monotonic() >= _down_until:
        try:
            return _ask_redis(f"am:bucket:{account_id}:{kind}", limit, rate)
        except (redis.RedisError, OSError) as error:
            _down_until = clock.monotonic() + _PAUSE_AFTER_FAILURE_S
            log.warning("call budget without redis account=%d kind=%s error=%s", account_id, kind, type(error).__name__)
    if kind == "orders" and not exit:
        return None
    return _ask_here(account_id, kind, max(rate // 2, 1))


def _ask_redis(key: str, limit: int, rate: int) -> float:
    global _grant
    if _grant is None:
        client = redis.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=0.3,
            socket_connect_timeout=0.3,
            retry=Retry(NoBackoff(), 0),
            driver_info=queue.NAMELESS,
        )
        _grant = client.register_script(_SCRIPT)
    return float(_grant(keys=[key], args=[limit, max(rate, limit), WINDOW_US])) / 1_000_000


def _ask_here(account_id: int, kind: Kind, limit: int) -> float:
    now, window = clock.monotonic(), WINDOW_US / 1_000_000
    with _local_lock:
        grants = _local.setdefault((account_id, kind), deque())
        while grants and now - grants[0] >= window:
            grants.popleft()
        if len(grants) >= limit:
            return grants[-limit] + window - now
        grants.append(now)
    return 0.0


def used(account_id: int, kind: Kind) -> int | None:
    """Calls granted within the last second, by all processes; None when Redis does not say."""
    try:
        client = queue.client()
        now_s, now_us = client.time()
        grants = client.lrange(f"am:bucket:{account_id}:{kind}", 0, -1)
    except (redis.RedisError, OSError):
        return None
    since = int(now_s) * 1_000_000 + int(now_us) - 1_000_000
    return sum(1 for at in grants if int(float(at)) >= since)


def forget() -> None:
    """Drop this process's connection and counts; for tests and after a fork."""
    global _grant, _down_until
    _grant, _down_until = None, 0.0
    _local.clear()
