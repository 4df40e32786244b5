"""Is the house alive, and may it serve? Effects are asked for, not memories of having been started."""

from __future__ import annotations

from dataclasses import dataclass

import redis
from django.conf import settings
from django.db import Error as DatabaseFailed
from django.db import connection

from algomirror.kernel import clock
from algomirror.ops import canary, heartbeat, queue
from algomirror.ops.models import Lease

CANARY_LATE_S = 15.0
HEARTBEAT_LATE_S = 15.0


@dataclass(frozen=True)
class Part:
    """One thing the product needs. `age_s` is how long ago it last gave a sign of life, None when it never did."""

    name: str
    is_ok: bool
    state: str
    age_s: float | None = None


def parts() -> list[Part]:
    return [_database(), _redis(), _metronome(), _feed(), *(_cluster(name) for name in settings.CLUSTERS)]


def _database() -> Part:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseFailed as error:
        return Part("database", False, type(error).__name__)
    return Part("database", True, "answers")


def _redis() -> Part:
    try:
        queue.client().ping()
    except (redis.RedisError, OSError) as error:
        return Part("redis", False, type(error).__name__)
    return Part("redis", True, "answers")


def _metronome() -> Part:
    try:
        is_held = Lease.objects.filter(name="metronome", expires__gt=clock.now()).exists()
        age_s = heartbeat.age_s("metronome")
    except DatabaseFailed as error:
        return Part("metronome", False, type(error).__name__)
    is_ok = is_held and age_s is not None and age_s < HEARTBEAT_LATE_S
    return Part("metronome", is_ok, "beats" if is_ok else "silent", age_s)


def _feed() -> Part:
    try:
        age_s = heartbeat.age_s("feed")
    except DatabaseFailed as error:
        return Part("feed", False, type(error).__name__)
    if age_s is None:
        return Part("feed", True, "not needed yet")  # before the first account there is nothing to listen to
    is_ok = age_s < HEARTBEAT_LATE_S
    return Part("feed", is_ok, "runs" if is_ok else "silent", age_s)


def _cluster(name: str) -> Part:
    try:
        age_s = canary.age_s(name)
    except (redis.RedisError, OSError) as error:
        return Part(f"cluster {name}", False, type(error).__name__)
    is_ok = age_s is not None and age_s < CANARY_LATE_S
    return Part(f"cluster {name}", is_ok, "works" if is_ok else "silent", age_s)
