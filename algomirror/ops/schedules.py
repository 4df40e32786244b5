"""The only schedule of django-q2: a minute's fallback for the metronome. Everything periodic is a beat."""

from __future__ import annotations

from algomirror.kernel import clock

FALLBACK = "beat without metronome"


def ensure() -> bool:
    """Create or correct the fallback schedule; True when something was changed. Idempotent."""
    from django_q.models import Schedule

    wanted = {
        "func": "algomirror.ops.tasks.beat_without_metronome",
        "schedule_type": Schedule.MINUTES,
        "minutes": 1,
        "repeats": -1,
        "cluster": "risk",
    }
    row = Schedule.objects.filter(name=FALLBACK).first()
    if row is None:
        Schedule.objects.create(name=FALLBACK, next_run=clock.now(), **wanted)
        return True
    if all(getattr(row, name) == value for name, value in wanted.items()):
        return False
    Schedule.objects.filter(pk=row.pk).update(**wanted)
    return True
