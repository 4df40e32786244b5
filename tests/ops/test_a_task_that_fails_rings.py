"""A task that raises is asked for again by the next beat, raises again, and stands in a log that nobody reads."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest
from django.db import OperationalError

from algomirror.ops import queue
from algomirror.ops.alerts.classes import CRITICAL, class_of
from algomirror.ops.models import Alarm

pytestmark = pytest.mark.django_db


def _a_task_that_raises(monkeypatch: pytest.MonkeyPatch, error: Exception) -> str:
    def fail(*_: Any) -> None:
        raise error

    room = ModuleType("a_room_with_a_task")
    room.fail = fail  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, room.__name__, room)
    return f"{room.__name__}.fail"


def test_it_rings_once_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    task = _a_task_that_raises(monkeypatch, ValueError("a row nobody can read"))
    for _ in range(3):
        with pytest.raises(ValueError, match="nobody can read"):
            queue.run(task, "its-key", 7)
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.seen_times) == ("TASK_FAILED", 3) and task in alarm.text
    assert class_of(alarm.kind) in CRITICAL


@pytest.mark.parametrize("error", [OperationalError("database is locked"), ConnectionError("redis is away")])
def test_what_passes_by_itself_does_not(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    with pytest.raises(type(error)):
        queue.run(_a_task_that_raises(monkeypatch, error), "")
    assert not Alarm.objects.exists()
