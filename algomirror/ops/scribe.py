"""What several threads of this process write at the same moment, in one commit.

SQLite lets one writer in at a time, and a commit that survives a power cut makes everybody behind it wait for the disk: of
fifty accounts that write six times each, the disk alone takes a fifth of a second. So threads that sit (`algomirror.ops.seats`)
hand what they want to write to one thread that has it all committed together, and stand up meanwhile. Elsewhere, and where
nobody sits, every act is a transaction of its own: PostgreSQL's server does the same by itself.

To who asks it is a transaction like any other: an act that raises is taken back and raises there, alone; `write` returns
once the act is committed; and where the commit fails, it failed for each of them.
"""

from __future__ import annotations

import contextvars
import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import chain, islice
from queue import Empty, SimpleQueue
from typing import Any, TypeVar, cast

from django.db import DatabaseError, transaction

from algomirror.kernel import clock
from algomirror.ops import here, seats

log = logging.getLogger(__name__)

T = TypeVar("T")

# The other processes' writers are not kept waiting for longer than so many acts take.
MOST = 16
# After a commit that failed every act is committed by itself for so long: one that spoils it shall spoil no other.
ALONE_S = 10.0


class _Act:
    def __init__(self, act: Callable[[], Any]) -> None:
        self._act, self._context = act, contextvars.copy_context()
        self._result: Any = None
        self._error: BaseException | None = None
        self._after: list[Callable[[], Any]] = []
        self._written = threading.Lock()
        self._written.acquire()

    def run(self) -> None:
        connection = here.connection()
        before = len(connection.run_on_commit)
        try:
            with transaction.atomic():
                self._result = self._context.run(self._act)
        except BaseException as error:  # noqa: BLE001 - raised where it was asked for
            self._error = error
        # It may wait for somebody else, and nobody's commit shall wait for that.
        self._after = [call for _, call, *_ in connection.run_on_commit[before:]]
        del connection.run_on_commit[before:]

    def end(self, failed: BaseException | None) -> None:
        self._error = self._error or failed
        self._written.release()

    def result(self) -> Any:
        """Once it is committed, and what was to happen then has happened here."""
        self._written.acquire()
        if self._error is not None:
            raise self._error
        for call in self._after:
            call()
        return self._result


class _Scribe:
    def __init__(self) -> None:
        self._acts: SimpleQueue[_Act] = SimpleQueue()
        self._alone_until = 0.0
        threading.Thread(target=self._run, name="scribe", daemon=True).start()

    def write(self, act: Callable[[], Any]) -> Any:
        asked = _Act(act)
        self._acts.put(asked)
        with seats.left():
            return asked.result()

    def _run(self) -> None:
        here.keep()
        while True:
            self._write(self._acts.get())

    def _write(self, first: _Act) -> None:
        most = 1 if clock.monotonic() < self._alone_until else MOST
        done: list[_Act] = []
        failed: BaseException | None = None
        try:
            here.connection().close_if_unusable_or_obsolete()
            # Until the commit is through: who sat down while the disk writes would have the interpreter when it has written,
            # and the other process would wait for that.
            with ExitStack() as committed, transaction.atomic():
                # By now the other writers are through, and more acts may have come.
                committed.enter_context(seats.closed())
                for act in islice(chain([first], self._others()), most):
                    done.append(act)
                    act.run()
                _refuse_if_lost()
        except BaseException as error:  # noqa: BLE001 - raised in every thread that waits for it
            log.warning("commit failed acts=%d error=%s", len(done), error)
            failed, self._alone_until = error, clock.monotonic() + ALONE_S
            if not done:
                # No transaction came about, and none would for those behind.
                done = [first, *self._others()]
        for act in done:
            act.end(failed)

    def _others(self) -> Iterator[_Act]:
        """Those that wait by now."""
        with suppress(Empty):
            while True:
                yield self._acts.get_nowait()


def _refuse_if_lost() -> None:
    """SQLite takes a whole transaction back by itself when its disk is full; committing what is left says nothing then."""
    connection = here.connection()
    if connection.needs_rollback or not connection.connection.in_transaction:
        raise DatabaseError("the transaction was taken back by the database")


_scribe: _Scribe | None = None
_making = threading.Lock()


def write(act: Callable[[], T]) -> T:
    """What `act` gives, once all it wrote is committed. Raises what it raises, and nothing of it is written then.

    `act` runs once, in a transaction that is not its own alone, possibly in another thread: it calls nobody outside.
    """
    connection = here.connection()
    if not seats.is_seated() or connection.in_atomic_block or connection.vendor != "sqlite":
        with transaction.atomic():
            return act()
    return cast(T, _one().write(act))


def _one() -> _Scribe:
    global _scribe
    if _scribe is None:
        with _making:
            _scribe = _scribe or _Scribe()
    return _scribe


def _in_a_fork() -> None:
    """The parent's thread does not cross."""
    global _scribe, _making
    _scribe, _making = None, threading.Lock()


os.register_at_fork(after_in_child=_in_a_fork)
