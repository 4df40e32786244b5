"""A guard held back by a person for a while. It goes on watching; when its time is over it acts, and nobody has to help."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models, transaction

from algomirror.kernel import clock
from algomirror.kernel.errors import Conflict, Refused
from algomirror.ops import journal, push
from risk.domain.guards import Stage
from risk.models import GuardState
from trading.models import Run

# Who wants longer says so again: a pause that nobody remembers ends by itself.
LONGEST = timedelta(hours=24)
NOT_PAUSED = "The guard was not paused."


def pause(guard_id: int, *, until: datetime, by: str, why: str) -> None:
    """It does not trip before `until`. Refused with fields for a moment that is over or too far, or without a reason.

    A later pause takes the place of an earlier one. Conflict when it has tripped or its run is closed.
    """
    now, why = clock.now(), why.strip()
    wrong = {}
    if until <= now:
        wrong["until"] = "it is over already"
    elif until > now + LONGEST:
        wrong["until"] = f"at most {LONGEST // timedelta(hours=1)} hours from now"
    if not why:
        wrong["reason"] = "say why it is paused"
    if wrong:
        raise Refused(NOT_PAUSED, fields=wrong)
    _hold("guard.paused", guard_id, {"paused_until": until, "paused_by": by, "paused_why": why}, by=by, why=why)


def resume(guard_id: int, *, by: str, why: str = "") -> None:
    """It acts again from now on. Nothing is done when it was not paused."""
    row = GuardState.objects.filter(pk=guard_id).first()
    if row is not None and row.paused_until is not None and row.paused_until > clock.now():
        _hold("guard.resumed", guard_id, {"paused_until": clock.now()}, by=by, why=why.strip())


def _hold(kind: str, guard_id: int, what: dict[str, object], *, by: str, why: str) -> None:
    with transaction.atomic():
        before = GuardState.objects.filter(pk=guard_id).exclude(run__state=Run.State.CLOSED).first()
        if before is None:
            raise Conflict("The run of this guard is closed.")
        as_seen = GuardState.objects.filter(pk=guard_id, paused_until=before.paused_until).exclude(state=Stage.TRIPPED.value)
        # `noted` rises, so that who holds the run in memory reads it again before it decides.
        if not as_seen.update(**what, noted=models.F("noted") + 1):
            raise Conflict("This guard has decided already, or somebody else paused it just now.")
        journal.record(
            kind,
            actor=by,
            why=why,
            subject=before.rule,
            run_id=before.run_id,
            book_id=before.book_id,
            leg=before.leg,
            until=what["paused_until"],
            was_until=before.paused_until,
        )
    push.push(f"run:{before.run_id}", "changed")
    push.push("risk", "changed")
