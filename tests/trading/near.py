"""Prices and call budgets in this process instead of in Redis, for histories by the thousand; all else stays in Redis.

Both are proven against a real Redis in tests/marketdata and tests/accounts. One process writes and reads here, and the desk's
budgets are wider than any history.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import redis
from django.conf import settings

from accounts.gateway import limits
from algomirror.ops import queue
from algomirror.ops.direct import Command, Direct
from marketdata import quotes

STAMP, DAY, CLOSE = slice(0, 20), slice(20, 26), slice(26, 46)
NAMELESS = b" " * 20


class NearRedis(redis.Redis):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._prices: dict[str, bytes] = {}
        self.is_away = False

    def eval(self, script: str, numkeys: int, *keys_and_args: Any) -> Any:
        if script == quotes._PUT:
            self._is_there()
            return self._put(keys_and_args[:numkeys], keys_and_args[numkeys : 2 * numkeys], keys_and_args[2 * numkeys].encode())
        return super().eval(script, numkeys, *keys_and_args)

    def _put(self, keys: tuple[str, ...], values: tuple[bytes, ...], ahead: bytes) -> int:
        taken = 0
        for key, new in zip(keys, values, strict=True):
            old = self._prices.get(key, b"")
            is_same_day, names = old[DAY] == new[DAY], new[CLOSE] != NAMELESS
            if old[STAMP] <= new[STAMP] or old > ahead:
                is_kept = is_same_day and not names
                self._prices[key] = new[: CLOSE.start] + old[CLOSE] + new[CLOSE.stop :] if is_kept else new
                taken += 1
            elif is_same_day and names and old[CLOSE] == NAMELESS:
                self._prices[key] = old[: CLOSE.start] + new[CLOSE] + old[CLOSE.stop :]
        return taken

    def mget(self, keys: Any, *args: Any) -> Any:
        wanted = [*([keys] if isinstance(keys, str) else keys), *args]
        if all(isinstance(key, str) and key.startswith(PRICES) for key in wanted):
            self._is_there()
            return [self._prices.get(key) for key in wanted]
        return super().mget(keys, *args)

    def _is_there(self) -> None:
        if self.is_away:
            raise redis.ConnectionError("nobody there")

    def flushdb(self, *args: Any, **options: Any) -> Any:
        self._prices.clear()
        return super().flushdb(*args, **options)


PRICES = quotes._name("")


class _EveryCallIsGranted(Direct):
    def __init__(self, near: NearRedis) -> None:
        super().__init__(1.0)
        self._near = near

    def ask(self, *commands: Command) -> list[Any]:
        self._near._is_there()
        return [0 for _ in commands]


@contextmanager
def redis_at_hand() -> Iterator[NearRedis]:
    before, asked = queue._client, limits._redis
    queue._client = near = cast(NearRedis, NearRedis.from_url(settings.REDIS_URL))
    limits._redis = _EveryCallIsGranted(near)
    try:
        yield near
    finally:
        queue._client, limits._redis = before, asked
        limits.forget()
        near.close()
