"""The beat of the house: one process at a time calls each room's `beats.enqueue`, which only puts work on queues."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from threading import Event

from django.conf import settings
from django.db import Error as DatabaseFailed
from django.db import close_old_connections
from django.utils.module_loading import import_string

from algomirror.kernel import clock
from algomirror.ops import alarms, heartbeat, lease

log = logging.getLogger(__name__)

NAME = "metronome"
TERM_S = 5.0
RENEW_S = 1.0
RESOLUTION_S = 0.25
COMPLAIN_EVERY_S = 60.0
SLOW_S = 0.5
DEAD_AFTER_S = 10.0


class Metronome:
    """Holds the lease and beats while it holds it; stands by otherwise."""

    def __init__(self, beats: Mapping[str, float], *, holder: str | None = None) -> None:
        self._periods = dict(beats)
        self._due = dict.fromkeys(beats, 0.0)
        self._complained: dict[str, float] = {}
        self._holder = holder
        self._held: lease.Held | None = None
        self._valid_until = 0.0
        self._renew_at = 0.0

    @property
    def is_active(self) -> bool:
        return self._held is not None and clock.monotonic() < self._valid_until

    def run(self, stop: Event) -> None:
        self._load()
        while not stop.is_set():
            self.turn()
            stop.wait(RESOLUTION_S)
        self.resign()

    def turn(self) -> None:
        """One look at the clock: keep or win the lease, then give the beats that are due."""
        try:
            self._keep_lease()
        except DatabaseFailed as error:
            log.warning("metronome lease unknown error=%s", type(error).__name__)
            close_old_connections()
        for path, period_s in self._periods.items():
            if not self.is_active:
                return
            if clock.monotonic() >= self._due[path]:
                self._due[path] = clock.monotonic() + period_s
                self._give(path)

    def resign(self) -> None:
        """Free the lease, so that the standby need not wait for its end."""
        if self._held is not None:
            lease.release(self._held)
            self._held = None

    def _load(self) -> None:
        """Import what is to be called before the first beat is due; what fails complains at its beat."""
        import_string("django_q.tasks.async_task")
        for path in self._periods:
            with suppress(Exception):
                import_string(path)

    def _keep_lease(self) -> None:
        now = clock.monotonic()
        if now < self._renew_at:
            return
        self._renew_at = now + RENEW_S
        if self._held is None:
            self._held = lease.acquire(NAME, seconds=TERM_S, holder=self._holder)
            if self._held is not None:
                log.info("metronome active term=%s", self._held.token)
        elif not lease.renew(self._held, seconds=TERM_S):
            log.warning("metronome lost its lease term=%s", self._held.token)
            self._held = None
        if self._held is not None:
            # Counted from before the database was asked: we must believe the lease over no later than others may.
            self._valid_until = now + TERM_S
            heartbeat.beat(NAME, beats=len(self._periods))

    def _give(self, path: str) -> None:
        started = clock.monotonic()
        try:
            import_string(path)()
        except Exception:  # noqa: BLE001 - one room's failing beat must not silence the others
            self._complain(path)
        else:
            took_s = clock.monotonic() - started
            if took_s > SLOW_S:
                log.warning("beat is slow beat=%s took_s=%.2f", path, took_s)

    def _complain(self, path: str) -> None:
        if clock.monotonic() < self._complained.get(path, 0.0):
            return
        self._complained[path] = clock.monotonic() + COMPLAIN_EVERY_S
        log.exception("beat failed beat=%s", path)
        try:
            alarms.ring("BEAT_FAILED", f"The regular work of {path} fails: what it guards or polls stands still.", key=path)
        except DatabaseFailed:
            log.exception("alarm not stored beat=%s", path)


def fallback() -> bool:
    """One round of all beats when the metronome is silent; called each minute by django-q2. True when it was needed."""
    age_s = heartbeat.age_s(NAME)
    if age_s is not None and age_s < DEAD_AFTER_S:
        return False
    alarms.ring(
        "METRONOME_SILENT",
        "The metronome gives no beat: sweeps and polls run once a minute only. Start run_metronome.",
        key=NAME,
        age_s=None if age_s is None else round(age_s, 1),
    )
    for path in settings.BEATS:
        try:
            import_string(path)()
        except Exception:
            log.exception("beat failed beat=%s", path)
    return True
