"""Figures and memories are noted within a sweep. When they cannot be, what follows in it is done all the same."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError

from accounts.gateway.directory import far_side
from algomirror.ops import queue
from risk.models import RiskEvent
from risk.services import daily, sweep, watch
from tests.risk import desk
from tests.risk.families import leaving
from tests.risk.test_limits_above_the_run import lost
from tests.strategies import stage

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture(autouse=True)
def frozen(db: None) -> Iterator[Any]:
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry_now()
        yield moving


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(*args: Any) -> None:
        raise OperationalError("the disk is full")

    monkeypatch.setattr(sweep, "keep", cannot)


def test_limits_above_the_run_and_blindness_are_looked_at(frozen: Any, full: None) -> None:
    one, two = desk.accounts(2)
    daily.set_limits(one, {"daily_loss": D(3000)}, by="user:alice")
    limited = desk.a_run([one], name="Limited", max_loss=D(90_000))
    desk.a_run([two], name="Blind", blind_policy="FLATTEN", max_loss=D(90_000), owned=[desk.Owned(1, "SELL", desk.LOW_PUT, "15")])
    watch.sweep()
    lost(limited, 3250)
    for _ in range(75):
        frozen.advance(1)
        desk.price(call=100, put=80)
        queue.client().delete(watch.REFRESHING)
        watch.sweep()
    assert leaving() == {one.pk, two.pk}
    assert set(RiskEvent.objects.values_list("kind", flat=True)) >= {"ACCOUNT_LIMIT", "BLIND"}
