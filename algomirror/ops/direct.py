"""Short questions to Redis from the hot path, past the client's pool, retries and meters, which cost four times what the
question does.

The connections are the library's own, as many as there are threads that ask at one moment; the one used last is used next.
"""

from __future__ import annotations

import os
import weakref
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from algomirror.ops import queue

Command = tuple[str | int | bytes, ...]


class Direct:
    """Thread-safe. `timeout_s` bounds the wait for a connection and for each answer."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._pool: redis.ConnectionPool | None = None
        self._idle: list[Any] = []
        _all.add(self)

    def ask(self, *commands: Command) -> list[Any]:
        """What Redis answers to each of them, sent together. Where a connection turns out to be closed all of them are
        sent again over a new one, once. Raises redis.RedisError or OSError: nobody knows then which it has carried out."""
        try:
            connection = self._idle.pop()
        except IndexError:
            return self._exchange(self._made(), commands)
        try:
            return self._exchange(connection, commands)
        except redis.ConnectionError:
            return self._exchange(self._made(), commands)

    def one(self, *command: str | int | bytes) -> Any:
        """What Redis answers to this one."""
        return self.ask(command)[0]

    def forget(self) -> None:
        """Drop the connections; for tests and after a fork, whose parent goes on with them."""
        self._pool, self._idle = None, []

    def _made(self) -> Any:
        if self._pool is None:
            self._pool = redis.ConnectionPool.from_url(
                settings.REDIS_URL,
                socket_timeout=self._timeout_s,
                socket_connect_timeout=min(self._timeout_s, 1.0),
                retry=Retry(NoBackoff(), 0),
                driver_info=queue.NAMELESS,
            )
        # Not its `make_connection`, which counts what it ever made and has an end.
        return self._pool.connection_class(**self._pool.connection_kwargs)

    def _exchange(self, connection: Any, commands: tuple[Command, ...]) -> list[Any]:
        answers: list[Any] = []
        refused: redis.ResponseError | None = None
        try:
            connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            for _ in commands:
                try:
                    answers.append(connection.read_response())
                except redis.ResponseError as error:
                    refused = refused or error
        except BaseException:
            # An answer that still comes must not be taken for the next question's.
            connection.disconnect()
            raise
        self._idle.append(connection)
        if refused is not None:
            raise refused
        return answers


_all: weakref.WeakSet[Direct] = weakref.WeakSet()


def _in_a_fork() -> None:
    for direct in _all:
        direct.forget()


os.register_at_fork(after_in_child=_in_a_fork)

# For whatever may wait as long as `queue.client` may.
usual = Direct(2.0)
