"""Alive is not working: what the signs of life say about a running process."""

from __future__ import annotations

import logging
import os
import signal
from contextlib import suppress

import psutil
import redis
from django.conf import settings
from django.db import Error as DatabaseFailed

from algomirror.kernel import clock
from algomirror.ops import canary
from algomirror.ops.models import Heartbeat
from algomirror.ops.supervisor.child import Child

log = logging.getLogger(__name__)

WARM_UP_S = 10.0
CANARY_SILENT_S = 10.0
HEARTBEAT_SILENT_S = 30.0


def judge(child: Child) -> str:
    """Why this process must be killed and started again; "" when it works or nothing can be said."""
    try:
        if child.spec.cluster:
            return _judge_cluster(child)
        if child.spec.heartbeat:
            return _judge_heartbeat(child)
    except (redis.RedisError, OSError, DatabaseFailed) as error:
        log.warning("cannot judge process=%s error=%s", child.spec.name, type(error).__name__)
    return ""


def _judge_cluster(child: Child) -> str:
    if child.started_at is None:
        return ""
    silent_s = canary.silent_s(child.spec.cluster, since=child.started_at.timestamp() + WARM_UP_S)
    if silent_s is None or silent_s <= CANARY_SILENT_S:
        return ""
    # A long task is not a deadlock; django-q2 ends it itself at the cluster's time limit.
    if silent_s <= _task_limit_s(child.spec.cluster) + CANARY_SILENT_S and _is_busy(child.pid):
        return ""
    return f"its queue has not moved for {silent_s:.0f} s"


def _task_limit_s(cluster: str) -> float:
    configured = {**settings.Q_CLUSTER, **settings.Q_CLUSTER["ALT_CLUSTERS"].get(cluster, {})}
    return float(configured["timeout"])


def _is_busy(pid: int) -> bool:
    return any(" processing " in _title(p) for p in _family(pid))


def _judge_heartbeat(child: Child) -> str:
    row = Heartbeat.objects.filter(name=child.spec.heartbeat).values("holder", "at").first()
    # A standby has no heartbeat of its own, and another machine's is not ours to judge.
    if row is None or not str(row["holder"]).endswith(f":{child.pid}"):
        return ""
    age_s = (clock.now() - row["at"]).total_seconds()
    return f"no heartbeat for {age_s:.0f} s" if age_s > HEARTBEAT_SILENT_S else ""


def wake_pusher(child: Child) -> None:
    """Kill a cluster's queue reader, which sleeps 10 s after Redis went away; the cluster makes a new one at once."""
    for process in _family(child.pid):
        if _title(process).endswith(" pusher"):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)


def _family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
