"""Stop to cost wakes the other legs when one was stopped. A stop that only alerts has stopped nothing."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Literal

import pytest

from accounts.gateway.directory import far_side
from risk.domain.terms import LegTerms, Line, RiskTerms
from risk.models import RiskEvent
from risk.services import watch
from tests.risk import desk
from tests.strategies import stage

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def frozen(db: None) -> Iterator[Any]:
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry_now()
        yield moving


@pytest.mark.parametrize(("action", "wakes"), [("ALERT", False), ("EXIT", True)])
def test_the_other_leg_stays_while_this_one_is_open(action: Literal["ALERT", "EXIT"], wakes: bool) -> None:
    legs = {1: LegTerms(stop=Line("POINTS", Decimal(20)), action=action)}
    desk.a_run(desk.accounts(1), RiskTerms(legs=legs, stop_to_cost=True), max_loss=Decimal(90_000))
    watch.sweep()
    desk.price(call=125, put=81)
    for _ in range(3):
        watch.sweep()
    assert RiskEvent.objects.filter(kind="LEG_STOP", leg=1).exists()
    assert RiskEvent.objects.filter(kind="COST_STOP", leg=2).exists() == wakes
