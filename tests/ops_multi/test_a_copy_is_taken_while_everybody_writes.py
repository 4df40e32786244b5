"""The hour's copy on a trading day: the house writes every few milliseconds while it is taken, or the disk has no room for it."""

from __future__ import annotations

import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from algomirror.ops import backup, tasks
from algomirror.ops.models import Alarm, Heartbeat
from tests import cast

on_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL is copied by pg_dump, as of one moment")
pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def _another_writes(seconds: float) -> Iterator[threading.Thread]:
    """As a metronome, a feed and the order workers do, by a connection of its own."""
    source, stop = str(connection.settings_dict["NAME"]), threading.Event()

    def write() -> None:
        ends = time.monotonic() + seconds
        with closing(sqlite3.connect(source, isolation_level=None, timeout=20)) as other:
            while time.monotonic() < ends and not stop.is_set():
                other.execute("UPDATE ops_heartbeat SET holder = holder || 'x'")
                time.sleep(0.0005)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield writer
    finally:
        stop.set()
        writer.join()


@contextmanager
def _as_large_as_after_weeks() -> Iterator[None]:
    with closing(sqlite3.connect(str(connection.settings_dict["NAME"]), isolation_level=None, timeout=20)) as other:
        other.execute("CREATE TABLE weeks AS SELECT zeroblob(30000000) AS rows")
        try:
            yield
        finally:
            other.execute("DROP TABLE weeks")


@on_sqlite
def test_it_is_done_while_others_go_on_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Heartbeat.objects.create(name="metronome", holder="", at=cast.FRIDAY)
    monkeypatch.setattr(backup, "PAGES_A_STEP", 20)
    with _as_large_as_after_weeks(), _another_writes(20) as writer:
        time.sleep(0.05)
        copy = backup.take(tmp_path)
        assert writer.is_alive(), "it was begun anew until nobody wrote any more"
    with closing(sqlite3.connect(copy)) as there:
        assert len(there.execute("SELECT holder FROM ops_heartbeat").fetchone()[0]) > 0


@pytest.mark.parametrize(
    "error", [sqlite3.OperationalError("database or disk is full"), subprocess.TimeoutExpired("pg_dump", 900)], ids=str
)
def test_a_copy_the_disk_has_no_room_for_rings(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(to: Path) -> None:
        raise error

    monkeypatch.setattr(backup, "_copy_out", fails)
    settings.BACKUP_DIR = str(tmp_path)
    tasks.back_up()
    assert Alarm.objects.get().kind == "BACKUP_FAILED"
    assert list(tmp_path.iterdir()) == [], "nothing half done is left"
