"""What the clusters do for operations."""

from __future__ import annotations

from datetime import timedelta

from algomirror.kernel import clock
from algomirror.ops import canary as canaries

SUCCESSES_KEPT = timedelta(days=1)
FAILURES_KEPT = timedelta(days=30)


def canary(cluster: str) -> None:
    canaries.answer(cluster)


def prune() -> None:
    """Delete old rows of the task queue; nothing of the product's own."""
    from django_q.models import Failure, Success

    Success.objects.filter(stopped__lt=clock.now() - SUCCESSES_KEPT).delete()
    Failure.objects.filter(stopped__lt=clock.now() - FAILURES_KEPT).delete()


def beat_without_metronome() -> None:
    """The minute's fallback: do one round of beats when no metronome gives them."""
    from algomirror.ops.metronome import fallback

    fallback()
