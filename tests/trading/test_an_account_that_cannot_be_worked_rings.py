"""An account's turn fails, and fails again: its orders are not followed and its exits not driven, and somebody hears of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError

from algomirror.ops.models import Alarm
from tests.trading.desk import Desk, a_desk
from trading.services import poll, work


@pytest.fixture
def committed(transactional_db: None) -> Iterator[Desk]:
    """A turn closes its connection to the database."""
    with a_desk() as found:
        yield found


def test_a_turn_that_fails_rings(committed: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> bool:
        raise ValueError("a row nobody can read")

    with monkeypatch.context() as broken:
        broken.setattr(poll, "account", fails)
        for _ in range(3):
            work._turn(committed.accounts[0].pk)
    alarm = Alarm.objects.get(kind="DRIVE_FAILED")
    assert alarm.account_id == committed.accounts[0].pk and "a row nobody can read" in alarm.text and alarm.seen_times == 3


def test_a_turn_that_waited_too_long_for_the_database_is_taken_again(committed: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def is_locked(*_: Any, **__: Any) -> bool:
        raise OperationalError("database is locked")

    with monkeypatch.context() as broken:
        broken.setattr(poll, "account", is_locked)
        work._turn(committed.accounts[0].pk)
    assert committed.alarms() == set()
