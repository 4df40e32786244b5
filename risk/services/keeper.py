"""The fast guard's two threads: one commits what ticks suspect and does nothing else, one does whatever may wait.

Who leaves never stands behind who reads: the second thread pauses between its pieces while the first has work, because
in one interpreter they take turns at every query.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from typing import Protocol

from django.db import DatabaseError, close_old_connections, connection

from algomirror.kernel import clock
from algomirror.ops import memory
from risk.services import watch
from risk.services.worth import Worth

log = logging.getLogger(__name__)

TURN_EVERY_S = 1.0
SWITCH_S = 0.0005
# The longest the second thread makes room for the first; and the longest a decided run is left alone before it is read.
GIVES_WAY_S = 0.05
SETTLES_WITHIN_S = 0.25


class Guarding(Protocol):
    def decide(self, run_id: int, now: datetime) -> int: ...

    def catch_up(self, run_ids: Collection[int]) -> None: ...

    def keep(self, now: datetime) -> int: ...

    def reload(self, pause: Callable[[], None]) -> None: ...

    def values(self, now: datetime) -> Mapping[int, Mapping[str, str | None]]: ...


class Keeper:
    def __init__(self, guard: Guarding) -> None:
        self._guard = guard
        self._worth = Worth()
        self._suspects: set[int] = set()
        self._decided: dict[int, float] = {}
        self._mutex = threading.Lock()
        self._due = threading.Event()
        self._calm = threading.Event()
        self._after = threading.Event()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def suspect(self, run_ids: Iterable[int]) -> None:
        """Runs in which a level is touched. One just decided is left alone until it was read again."""
        now = clock.monotonic()
        with self._mutex:
            fresh = {one for one in run_ids if now - self._decided.get(one, float("-inf")) > SETTLES_WITHIN_S}
            if not fresh:
                return
            self._suspects |= fresh
            self._calm.clear()
        self._due.set()

    def ensure_running(self) -> None:
        if self._threads and all(thread.is_alive() for thread in self._threads):
            return
        self.stop()
        self._stopping.clear()
        self._calm.set()
        # The committing thread must get the interpreter within a blink, whatever the others are busy with.
        sys.setswitchinterval(SWITCH_S)
        turns = (("fastguard", self._commits), ("fastguard-index", self._follows))
        self._threads = [threading.Thread(target=_ending, args=(turn,), name=name, daemon=True) for name, turn in turns]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads and their database connections; the next tick starts new ones."""
        self._stopping.set()
        for event in (self._due, self._after, self._calm):
            event.set()
        for thread in self._threads:
            thread.join(10)
        self._threads = []

    def _commits(self) -> None:
        while not self._stopping.is_set():
            try:
                if not self.commit_suspects():
                    _refresh_connection()
            except Exception:
                log.exception("fast guard could not commit; the sweep goes on")
            self._due.wait(TURN_EVERY_S)

    def commit_suspects(self) -> bool:
        """Let the guards of every suspected run decide; one that fails holds up no other.

        False when there was nothing to decide, or not everything could be.
        """
        self._due.clear()
        with self._mutex:
            due, self._suspects = sorted(self._suspects), set()
        is_whole = bool(due)
        for run_id in due:
            try:
                self._guard.decide(run_id, clock.now())
            except Exception:
                is_whole = False
                log.exception("run not decided on a tick run=%s; the sweep goes on", run_id)
            # Suspected meanwhile by lines that are old now: the new ones speak with the next tick.
            with self._mutex:
                self._decided[run_id] = clock.monotonic()
                self._suspects.discard(run_id)
        with self._mutex:
            if not self._suspects:
                self._calm.set()
        if due:
            self._after.set()
        return is_whole

    def _follows(self) -> None:
        memory.settle()
        turn_at, is_heard = clock.monotonic(), False
        while not self._stopping.is_set():
            try:
                self.catch_up()
                if not is_heard or clock.monotonic() >= turn_at:
                    turn_at = clock.monotonic() + TURN_EVERY_S
                    self._turn()
            except Exception:
                log.exception("fast guard turn failed; the sweep goes on")
            is_heard = self._after.wait(max(turn_at - clock.monotonic(), 0.01))

    def catch_up(self) -> None:
        """Read the decided runs again and tell their news."""
        self._after.clear()
        with self._mutex:
            decided = dict(self._decided)
        if not decided:
            return
        self._give_way()
        self._guard.catch_up(list(decided))
        with self._mutex:
            for run_id, at in decided.items():
                if self._decided.get(run_id) == at:
                    del self._decided[run_id]
        log.info("fast guard decided runs=%s", sorted(decided))

    def _turn(self) -> None:
        close_old_connections()
        self._guard.keep(clock.now())
        self._guard.reload(self._give_way)
        self._give_way()
        now = clock.now()
        watch.publish(self._guard.values(now), now)
        self._give_way()
        self._worth.publish()

    def _give_way(self) -> None:
        self._calm.wait(GIVES_WAY_S)


def _ending(turn: Callable[[], None]) -> None:
    try:
        turn()
    finally:
        connection.close()


def _refresh_connection() -> None:
    """An idle moment is the time to replace what is old or broken; the next decision must find it open and proven."""
    close_old_connections()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        connection.close()
