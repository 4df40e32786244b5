"""The same command once: a key names it, a digest proves that the repeat is the same, the first answer is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, models, transaction

from algomirror.kernel import clock, ids
from algomirror.kernel.errors import Conflict
from algomirror.ops.api.models import Command

# A command whose process died may be asked again after this; the services behind it are idempotent themselves.
ABANDONED_AFTER = timedelta(seconds=60)
KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request says of itself."""

    actor: str
    key: str
    method: str
    path: str
    digest: str


def claim(asked: Asked) -> tuple[Command, bool]:
    """The command's row, and whether this call is to carry it out. Conflict for another body, or while it still runs."""
    now = clock.now()
    try:
        with transaction.atomic():
            row = Command.objects.create(
                public_id=ids.new_key(),
                actor=asked.actor,
                key=asked.key,
                method=asked.method,
                path=asked.path[:200],
                digest=asked.digest,
                started_at=now,
            )
        return row, True
    except IntegrityError:
        row = Command.objects.get(actor=asked.actor, key=asked.key)
    if row.digest != asked.digest:
        raise Conflict("This Idempotency-Key was used for another request.", fields={"Idempotency-Key": "used before"})
    if row.state == Command.State.DONE:
        return row, False
    if row.state == Command.State.RUNNING and row.started_at > now - ABANDONED_AFTER:
        raise Conflict("This command is being carried out; ask again in a moment.", fields={"Idempotency-Key": "in progress"})
    again = Command.objects.filter(pk=row.pk, state=row.state, attempts=row.attempts)
    if not again.update(state=Command.State.RUNNING, started_at=now, attempts=models.F("attempts") + 1):
        raise Conflict("This command is being carried out; ask again in a moment.", fields={"Idempotency-Key": "in progress"})
    row.refresh_from_db()
    return row, True


def finish(row: Command, *, status: int, answer: Any) -> None:
    _end(row, Command.State.DONE, status=status, answer=answer)


def fail(row: Command) -> None:
    """We broke: the sender may repeat the same key, and it is tried again."""
    _end(row, Command.State.FAILED, status=500, answer=None)


def _end(row: Command, state: str, *, status: int, answer: Any) -> None:
    mine = Command.objects.filter(pk=row.pk, state=Command.State.RUNNING, attempts=row.attempts)
    mine.update(state=state, status=status, answer=answer, finished_at=clock.now())


def prune() -> int:
    """Forget keys older than a week; how many."""
    return Command.objects.filter(started_at__lt=clock.now() - KEPT).delete()[0]
