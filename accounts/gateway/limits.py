"""The call budget of one account, shared by all processes: never more than `rate` calls within any second.

A log of the last grants rather than a refilling bucket: the servers count in a moving window, where a bucket that
had rested would allow twice its rate. Exits may use every grant and wait; entries leave a reserve.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections import deque
from collections.abc import Callable
from threading import Lock
from typing import Literal

import redis

from algomirror.kernel import clock
from algomirror.ops import queue
from algomirror.ops.direct import Direct

log = logging.getLogger(__name__)

Kind = Literal["orders", "reads", "history"]
RESERVE_FOR_EXITS = 2
# A little over a second: calls granted in time order may arrive with different delays.
WINDOW_US = 1_050_000
_PAUSE_AFTER_FAILURE_S = 1.0

# What was granted to calls that were to be made together is good for so long: later ones would arrive too close to the next.
_GOOD_FOR_S = 0.02

# KEYS[1] grants, newest first; ARGV: limit, kept, window, calls. Returns the microseconds to wait, 0 when all are granted.
_SCRIPT = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local oldest = redis.call('LINDEX', KEYS[1], ARGV[1] - ARGV[4])
if oldest then
  local wait = oldest + ARGV[3] - now
  if wait > 0 and wait <= tonumber(ARGV[3]) then return wait end
end
for _ = 1, ARGV[4] do redis.call('LPUSH', KEYS[1], string.format('%.0f', now)) end
redis.call('LTRIM', KEYS[1], 0, ARGV[2] - 1)
redis.call('PEXPIRE', KEYS[1], 5000)
return 0
"""

_SHA = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()
_redis = Direct(0.3)
_down_until = 0.0
_local: dict[tuple[int, Kind], deque[float]] = {}
_local_lock = Lock()


class _Together:
    """Grants for calls that leave at the same moment from threads of this process: the first to need one asks for all."""

    def __init__(self, calls: int) -> None:
        self._calls, self._left, self._granted_at = calls, -1, 0.0
        self._lock = Lock()

    def take(self, ask: Callable[[int], bool]) -> bool:
        with self._lock:
            if self._left < 0:
                # As of before it was asked for: what Redis granted is not older.
                self._granted_at = clock.monotonic()
                self._left = self._calls if ask(self._calls) else 0
            elif clock.monotonic() - self._granted_at > _GOOD_FOR_S:
                return False
            if not self._left:
                return False
            self._left -= 1
            return True


_together: dict[tuple[int, Kind, bool], _Together] = {}


def expect(account_id: int, kind: Kind, calls: int, *, exit: bool) -> None:
    """So many calls of this kind are made next, side by side. A hint: who finds no grant of theirs takes its own."""
    if calls > 1:
        _together[account_id, kind, exit] = _Together(calls)


def take(account_id: int, kind: Kind, rate: int, *, exit: bool, wait_s: float) -> bool:
    """Wait at most `wait_s` for the right to make one call; False when it did not come.

    With Redis down each process counts for itself at half the rate, and entries are refused.
    """
    limit = rate if exit or kind != "orders" else max(rate - RESERVE_FOR_EXITS, 1)
    group = _together.get((account_id, kind, exit))
    if group is not None and group.take(lambda calls: _grants_all(account_id, kind, limit, rate, calls)):
        return True
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
    wait = _wait_by_redis(account_id, kind, limit, rate)
    if wait is not None:
        return wait
    if kind == "orders" and not exit:
        return None
    return _ask_here(account_id, kind, max(rate // 2, 1))


def _grants_all(account_id: int, kind: Kind, limit: int, rate: int, calls: int) -> bool:
    """Whether so many are granted at once. Where not, or nobody says, each asks for itself and finds out what follows."""
    return calls <= limit and _wait_by_redis(account_id, kind, limit, rate, calls) == 0


def _wait_by_redis(account_id: int, kind: Kind, limit: int, rate: int, calls: int = 1) -> float | None:
    """Seconds until so many are granted, 0 when they are; None when Redis does not answer, which is left alone a moment then."""
    global _down_until
    if clock.monotonic() < _down_until:
        return None
    try:
        return _ask_redis(f"am:bucket:{account_id}:{kind}", limit, rate, calls)
    except (redis.RedisError, OSError) as error:
        _down_until = clock.monotonic() + _PAUSE_AFTER_FAILURE_S
        log.warning("call budget without redis account=%d kind=%s error=%s", account_id, kind, type(error).__name__)
        return None


def _ask_redis(key: str, limit: int, rate: int, calls: int) -> float:
    said = (1, key, limit, max(rate, limit), WINDOW_US, calls)
    try:
        wait = _redis.one("EVALSHA", _SHA, *said)
    except redis.exceptions.NoScriptError:
        wait = _redis.one("EVAL", _SCRIPT, *said)
    return float(wait) / 1_000_000


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
    global _down_until
    _down_until = 0.0
    _redis.forget()
    _local.clear()
    _together.clear()
