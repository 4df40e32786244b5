"""Who sets a time on the third day of a run means that day, not the first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from accounts.gateway.directory import far_side
from marketdata import calendar
from risk.domain.limits import LimitTerms
from risk.domain.terms import RiskTerms
from risk.models import RiskEvent
from risk.pages import run_rows
from risk.services import arming, watch
from tests.risk import desk
from tests.strategies import stage
from trading.models import Run

pytestmark = pytest.mark.django_db
MONDAY = datetime(2026, 11, 23, 4, 30, tzinfo=UTC)  # 10:00 in India; the run began on Friday
THREE = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
KINDS = ("exit_time", "square_off")


@pytest.fixture(autouse=True)
def frozen(db: None) -> Iterator[Any]:
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry_now()
        yield moving


def left() -> list[str]:
    """What took the run out."""
    return list(RiskEvent.objects.filter(action="EXIT").values_list("kind", flat=True))


def carried(frozen: Any, moment: datetime = MONDAY, **more: Any) -> Run:
    run = desk.a_run(desk.accounts(1), RiskTerms(**more), max_loss=Decimal(90_000), expiry="2026-12-29")
    watch.sweep()
    go(frozen, moment)
    return run


def go(frozen: Any, moment: datetime) -> None:
    frozen.set(moment)
    calendar.forget()
    watch.sweep()


def set_time(run: Run, kind: str, at: time, why: str = "") -> None:
    arming.change(run.pk, LimitTerms(max_loss=Decimal(90_000), more=RiskTerms(**{kind: at})), by="user:alice", why=why)
    watch.sweep()


@pytest.mark.parametrize("kind", KINDS)
def test_it_leaves_at_that_time_today(frozen: Any, kind: str) -> None:
    run = carried(frozen)
    set_time(run, kind, time(15, 0))
    assert left() == []
    (row,) = run_rows()
    assert {limit.rule: limit for limit in row.limits}[kind.upper()].due == THREE
    go(frozen, THREE)
    assert left() == [kind.upper()]


@pytest.mark.parametrize("kind", KINDS)
def test_a_time_that_is_over_today_leaves_at_once(frozen: Any, kind: str) -> None:
    run = carried(frozen)
    set_time(run, kind, time(9, 30))
    assert left() == [kind.upper()]


@pytest.mark.parametrize("kind", KINDS)
def test_after_the_close_the_next_session_is_meant(frozen: Any, kind: str) -> None:
    run = carried(frozen, datetime(2026, 11, 20, 14, 30, tzinfo=UTC))
    set_time(run, kind, time(15, 0))
    assert left() == []
    go(frozen, THREE)
    assert left() == [kind.upper()]


@pytest.mark.parametrize("kind", KINDS)
def test_a_time_of_before_that_is_not_changed_keeps_its_day(frozen: Any, kind: str) -> None:
    """Nobody swept over the weekend: what was due on Friday is due."""
    run = desk.a_run(desk.accounts(1), RiskTerms(**{kind: time(15, 0)}), max_loss=Decimal(90_000), expiry="2026-12-29")
    watch.sweep()
    frozen.set(MONDAY)
    calendar.forget()
    wider = LimitTerms(max_loss=Decimal(80_000), more=RiskTerms(**{kind: time(15, 0)}))
    arming.change(run.pk, wider, by="user:alice")
    watch.sweep()
    assert left() == [kind.upper()]
