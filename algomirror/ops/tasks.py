"""What the clusters do for operations."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path

from django.conf import settings

from algomirror.kernel import clock
from algomirror.kernel.errors import Misconfigured
from algomirror.ops import alarms, backup, chain, retention
from algomirror.ops import canary as canaries
from algomirror.ops.alerts import deliver as alert_deliveries
from algomirror.ops.api import commands

log = logging.getLogger(__name__)

SUCCESSES_KEPT = timedelta(days=1)
FAILURES_KEPT = timedelta(days=30)
DELIVERIES_KEPT = timedelta(days=90)


def canary(cluster: str) -> None:
    canaries.answer(cluster)


def prune() -> None:
    """Delete old rows of the task queue, keys of old commands, old deliveries of alerts and journal rows past their time."""
    from django_q.models import Failure, Success

    Success.objects.filter(stopped__lt=clock.now() - SUCCESSES_KEPT).delete()
    Failure.objects.filter(stopped__lt=clock.now() - FAILURES_KEPT).delete()
    commands.prune()
    alert_deliveries.prune(DELIVERIES_KEPT)
    retention.let_go(kept=timedelta(days=settings.JOURNAL_KEPT_DAYS))


def seal_journal() -> None:
    chain.seal_all()


def note_journal_head() -> None:
    """Say the newest link where the database cannot reach; `verify_journal --remembered` takes it."""
    chain.seal_all(everywhere=True)
    log.info("journal head=%s", chain.head())


def beat_without_metronome() -> None:
    """The minute's fallback: do one round of beats when no metronome gives them."""
    from algomirror.ops.metronome import fallback

    fallback()


def back_up() -> None:
    """The hour's copy. A failure rings: a backup that is not there is missed when it is too late."""
    try:
        copy = backup.take(Path(settings.BACKUP_DIR), keep=settings.BACKUPS_KEPT)
    except (Misconfigured, OSError) as error:
        alarms.ring("BACKUP_FAILED", f"No copy of the database was taken: {error}")
        return
    log.info("backup taken file=%s bytes=%s", copy.name, copy.stat().st_size)
