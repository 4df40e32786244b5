"""SQLite with its writers in a queue.

SQLite lets one writer in at a time and has the others ask again after sleeps of up to 100 ms; with dozens of writers most
of the time the database is free and everybody sleeps. Here they wait for each other instead: threads of a process at a lock,
and the one thread at its head for the other processes, at a lock on a file that a process loses with its life. It only
saves time: who waited too long goes on without it and gets SQLite's own answer.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any

from django.db.backends.sqlite3 import base
from django.utils.dateparse import parse_date, parse_datetime

from algomirror.kernel import clock
from algomirror.ops.sqlite.driver import is_watched

ASK_AGAIN_S = 0.0003
_KNOWN = 4_096


class _Queue:
    """Of one database file, in one process."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._threads = threading.Lock()
        self._file: int | None = None
        os.register_at_fork(after_in_child=self._begin_anew)

    def enter(self, seconds: float) -> bool:
        """At the head of the queue, or False when it took too long."""
        ends = clock.monotonic() + seconds
        if not self._threads.acquire(timeout=seconds):
            return False
        try:
            if self._file is None:
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            while not self._is_ours(self._file):
                if clock.monotonic() > ends:
                    self._threads.release()
                    return False
                time.sleep(ASK_AGAIN_S)
        except OSError:
            self._threads.release()
            return False
        return True

    @staticmethod
    def _is_ours(file: int) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def leave(self) -> None:
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._threads.release()

    def _begin_anew(self) -> None:
        """The parent's threads are not ours, and its place in the file's queue goes with the open file, which we share."""
        self._threads = threading.Lock()
        if self._file is not None:
            os.close(self._file)
            self._file = None


_queues: dict[str, _Queue] = {}
_making = threading.Lock()


def _queue_of(name: str) -> _Queue:
    with _making:
        if name not in _queues:
            _queues[name] = _Queue(f"{name}.queue")
        return _queues[name]


@lru_cache(_KNOWN)
def _moment(text: bytes) -> datetime:
    said = text.decode()
    try:
        found = datetime.fromisoformat(said)
    except ValueError:
        other = parse_datetime(said)
        if other is None:
            raise
        found = other
    # They are kept in UTC; Django asks each of them, and takes one that says so for what it is.
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


@lru_cache(_KNOWN)
def _day(text: bytes) -> date | None:
    return parse_date(text.decode())


# Moments and days are most of what a row has, and the same rows are read again and again; Django makes four calls of each.
sqlite3.register_converter("datetime", _moment)
sqlite3.register_converter("date", _day)

# The stubs do not know the methods that a backend overrides.
_Django: Any = base.DatabaseWrapper


class DatabaseWrapper(_Django):  # type: ignore[misc]
    _leave: Callable[[], None] | None = None

    def _start_transaction_under_autocommit(self) -> None:
        if self._leave is None:
            queue = _queue_of(str(self.settings_dict["NAME"]))
            if queue.enter(float(self.settings_dict["OPTIONS"].get("timeout", 5.0))):
                self._leave = queue.leave
        try:
            super()._start_transaction_under_autocommit()
        except BaseException:
            self._out()
            raise

    def _set_autocommit(self, autocommit: bool) -> None:
        try:
            super()._set_autocommit(autocommit)
        finally:
            if autocommit:
                self._out()

    # A savepoint has the name of its depth, not one of its own: what the driver has compiled serves again.

    def _savepoint(self, sid: str) -> None:
        self._say("SAVEPOINT")

    def _savepoint_rollback(self, sid: str) -> None:
        self._say("ROLLBACK TO SAVEPOINT")

    def _savepoint_commit(self, sid: str) -> None:
        self._say("RELEASE SAVEPOINT")

    def _say(self, what: str) -> None:
        sql = f"{what} am{len(self.savepoint_ids)}"
        if is_watched(self):
            with self.cursor() as cursor:
                cursor.execute(sql)
            return
        with self.wrap_database_errors:
            self.connection.execute(sql)

    def _close(self) -> Any:
        try:
            return super()._close()
        finally:
            self._out()

    def _out(self) -> None:
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()
