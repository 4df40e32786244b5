from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from algomirror.frame import beats
from algomirror.frame.readiness import board, drilled
from algomirror.kernel import clock
from algomirror.kernel.clock import FrozenClock
from algomirror.kernel.errors import Misconfigured
from algomirror.ops import backup, chain, drill, journal, queue
from algomirror.ops.models import Alarm, Check
from tests.environment import postgres_programs

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Path:
    settings.BACKUP_DIR = str(tmp_path)
    if connection.vendor == "postgresql":
        settings.POSTGRES_BIN = str(postgres_programs())
    return tmp_path


def line() -> Check:
    return Check.objects.get(name=board.DRILL, account_id=0)


def test_the_newest_copy_comes_back_and_one_that_does_not_rings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal.record("x.y", actor="user:alice", why="kept")
    monkeypatch.setattr(chain, "SETTLED", clock.now() - clock.now())
    chain.seal_all()
    copy = backup.take(folder)
    drilled.run()
    assert line().state == "GREEN" and "Intact: 1 rows" in line().value, line().value
    board.run()
    assert line().state == "GREEN", "the minute's checks leave it alone"

    with copy.open("r+b") as file:
        file.seek(4_000)
        file.write(b"\x00broken")
    drilled.run()
    assert line().state == "RED" and "changed since it was taken" in line().value
    assert Alarm.objects.get(kind="BACKUP_NOT_RESTORABLE")


def test_the_command_says_what_is_missing(folder: Path) -> None:
    with pytest.raises(CommandError, match="there is none in BACKUP_DIR"):
        call_command("drill")
    with pytest.raises(CommandError, match="no readable manifest"):
        call_command("drill", str(folder / "nothing.sqlite3"))


def test_a_drill_that_takes_too_long_is_no_verdict_of_green(folder: Path) -> None:
    copy = backup.take(folder)
    with pytest.raises(Misconfigured, match="not done within"):
        drill.run(copy, within_s=0.2)


def test_without_copies_there_is_nothing_to_drill(folder: Path) -> None:
    assert drilled.run() is None
    assert not Check.objects.filter(name=board.DRILL).exists()


@pytest.mark.parametrize(("hour_utc", "is_asked"), [(21, True), (5, False)])
def test_it_is_asked_for_once_a_night(folder: Path, monkeypatch: pytest.MonkeyPatch, hour_utc: int, is_asked: bool) -> None:
    """21:00 UTC is 02:30 in India."""
    asked: list[str] = []
    monkeypatch.setattr(queue, "enqueue", lambda _, task, *__, **___: asked.append(task))
    with clock.use(FrozenClock(datetime(2026, 11, 20, hour_utc, tzinfo=UTC))):
        beats.enqueue()
        beats.enqueue()
    assert asked.count("algomirror.frame.tasks.drill_restore") == int(is_asked)
