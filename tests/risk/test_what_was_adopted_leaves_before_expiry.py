"""A position adopted into a run is no planned leg of it. When its contract ends it leaves with those that are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from accounts.gateway.directory import far_side
from marketdata import calendar
from marketdata.models import Instrument
from risk.services import watch
from tests.risk import desk
from tests.strategies import stage
from trading.models import ExitGoal

pytestmark = pytest.mark.django_db
LEAVES = datetime(2026, 11, 24, 9, 45, tzinfo=UTC)


@pytest.fixture(autouse=True)
def frozen(db: None) -> Iterator[Any]:
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry_now()
        yield moving


def adopted_into(run: Any) -> str:
    position = desk.own(run.books.get(), desk.Owned(3, "SELL", desk.HIGH_CALL, "20"))
    return f"{desk.HIGH_CALL}:{position.product}"


def sweep_at(frozen: Any, moment: datetime) -> None:
    frozen.set(moment)
    calendar.forget()
    watch.sweep()


def test_it_leaves_with_the_contracts_of_its_day(frozen: Any) -> None:
    run = desk.a_run(desk.accounts(1), max_loss=Decimal(90_000))
    adopted_into(run)
    sweep_at(frozen, LEAVES)
    assert ExitGoal.objects.get().targets is None, "the whole book"


def test_one_of_a_later_day_stays(frozen: Any) -> None:
    run = desk.a_run(desk.accounts(1), max_loss=Decimal(90_000))
    target = adopted_into(run)
    Instrument.objects.filter(symbol=desk.HIGH_CALL.partition(":")[2]).update(expiry=stage.NEXT)
    sweep_at(frozen, LEAVES)
    targets = ExitGoal.objects.get().targets
    assert targets is not None and len(targets) == 2 and target not in targets
