"""A holiday is declared for the day on which contracts end. They end with the session before, and so does the run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from accounts.gateway.directory import far_side
from algomirror.ops.models import Alarm
from marketdata import calendar
from marketdata.models import Holiday
from risk.models import RiskEvent
from risk.pages import run_rows
from risk.services import watch
from tests.risk import desk
from tests.strategies import stage
from trading.models import ExitGoal, Position
from trading.services import expire

pytestmark = pytest.mark.django_db
# The contracts of the desk end on Tuesday 24 November 2026; Monday's session closes at 15:30 in India.
MONDAY_LEAVES = datetime(2026, 11, 23, 9, 45, tzinfo=UTC)


@pytest.fixture(autouse=True)
def frozen(db: None) -> Iterator[Any]:
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry_now()
        yield moving


def declare() -> None:
    for exchange in ("NSE", "NFO"):
        Holiday.objects.create(exchange=exchange, date=stage.WEEK, name="Mourning", kind="BOTH")
    calendar.forget()


def at(frozen: Any, moment: datetime) -> None:
    frozen.set(moment)
    calendar.forget()


def test_the_run_leaves_before_the_last_close_there_is(frozen: Any) -> None:
    desk.a_run(desk.accounts(1), max_loss=Decimal(90_000))
    declare()
    (row,) = run_rows()
    assert {limit.rule: limit for limit in row.limits}["EXPIRY"].due == MONDAY_LEAVES
    at(frozen, MONDAY_LEAVES.replace(minute=44, second=59))
    watch.sweep()
    assert not RiskEvent.objects.exists()
    at(frozen, MONDAY_LEAVES)
    watch.sweep()
    assert RiskEvent.objects.get().kind == "EXPIRY" and ExitGoal.objects.get().reason == "EXPIRY"


def test_what_was_left_to_expire_on_a_day_without_a_session_calls_a_person(frozen: Any) -> None:
    """Nobody here knows at which price the exchange settles it, nor whether it moved the day: nothing is guessed."""
    desk.a_run(desk.accounts(1))
    declare()
    at(frozen, datetime(2026, 11, 24, 12, 0, tzinfo=UTC))
    assert expire.due() and expire.settle() == 0 and not Alarm.objects.filter(kind="SETTLEMENT_WAITS").exists()
    at(frozen, datetime(2026, 11, 25, 4, 0, tzinfo=UTC))
    assert expire.settle() == 0
    texts = Alarm.objects.filter(kind="SETTLEMENT_WAITS").values_list("text", flat=True)
    assert len(texts) == 2 and all("no session" in text for text in texts)
    assert Position.objects.exclude(units=0).count() == 2
