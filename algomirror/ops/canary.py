"""Does work put on a cluster's queue come out of it? Only an answer through the same queue says so.

A cluster whose idle worker was killed goes on looking healthy and does nothing.
"""

from __future__ import annotations

from algomirror.kernel import clock
from algomirror.ops import queue

KEPT_S = 86_400


def _asked(cluster: str) -> str:
    return f"am:canary:{cluster}:asked"


def _answered(cluster: str) -> str:
    return f"am:canary:{cluster}"


def ask(cluster: str) -> None:
    now = clock.now().timestamp()
    client = queue.client()
    client.set(_answered(cluster), now, nx=True, ex=KEPT_S)  # silence is counted from the first question
    client.set(_asked(cluster), now, ex=KEPT_S)
    queue.enqueue(cluster, "algomirror.ops.tasks.canary", cluster, key=f"canary:{cluster}", waits_s=5)


def answer(cluster: str) -> None:
    queue.client().set(_answered(cluster), clock.now().timestamp(), ex=KEPT_S)


def silent_s(cluster: str, *, since: float = 0.0) -> float | None:
    """Seconds for which the cluster has left questions unanswered; None when none was asked yet.

    Counted up to the last question, so that a dead metronome does not make clusters look dead, and from `since`
    (a timestamp) at the earliest, so that a new process is not blamed for its predecessor.
    """
    asked, answered = (_number(v) for v in queue.client().mget(_asked(cluster), _answered(cluster)))
    if asked is None or answered is None:
        return None
    return max(0.0, asked - max(answered, since))


def age_s(cluster: str) -> float | None:
    """Seconds since the cluster last answered; None when it never did."""
    answered = _number(queue.client().get(_answered(cluster)))
    return None if answered is None else max(0.0, clock.now().timestamp() - answered)


def _number(raw: object) -> float | None:
    return float(raw) if isinstance(raw, (bytes, str)) else None
