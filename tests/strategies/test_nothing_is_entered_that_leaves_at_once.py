"""Contracts leave a quarter of an hour before their last close. Entered after that, a run would leave with the next look."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from algomirror.kernel.errors import Denied
from marketdata import calendar
from risk.domain.terms import RiskTerms
from strategies.services import preview
from tests.strategies import stage

pytestmark = pytest.mark.django_db
# Tuesday 24 November 2026, 15:15 in India: the contracts of the week leave.
LEAVES = datetime(2026, 11, 24, 9, 45, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _now(db: None) -> Iterator[Any]:
    with stage.at(LEAVES) as frozen:
        yield frozen


def planned(**limits: Any) -> Any:
    stage.market()
    account = stage.account(1)
    version = stage.saved([account], **limits)
    return preview.preview(version, [account], user=stage.alice())


def test_after_they_leave_they_are_not_entered() -> None:
    with pytest.raises(Denied) as denied:
        planned()
    assert denied.value.code == "ENTRY_WINDOW_CLOSED" and "15:15" in denied.value.message


def test_a_second_before_they_are(_now: Any) -> None:
    _now.set(LEAVES.replace(minute=44, second=59))
    calendar.forget()
    assert planned().lines


def test_what_is_let_expire_is_entered_until_the_close() -> None:
    assert planned(more=RiskTerms(let_expire=True)).lines
