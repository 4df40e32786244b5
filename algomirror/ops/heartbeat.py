from __future__ import annotations

from typing import Any

from algomirror.kernel import clock
from algomirror.ops.lease import process_name
from algomirror.ops.models import Heartbeat


def beat(name: str, **detail: Any) -> None:
    Heartbeat.objects.update_or_create(name=name, defaults={"holder": process_name(), "at": clock.now(), "detail": detail})


def age_s(name: str) -> float | None:
    """Seconds since the last sign of life; None when there never was one."""
    row = Heartbeat.objects.filter(name=name).values_list("at", flat=True).first()
    return None if row is None else (clock.now() - row).total_seconds()
