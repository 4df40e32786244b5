"""A stop on the index is as blind without the index as a money stop without a leg: it is asked for, said, and acted on."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from accounts.gateway.directory import far_side
from algomirror.kernel.errors import Refused
from algomirror.ops import queue
from algomirror.ops.models import Alarm
from risk.domain.limits import LimitTerms
from risk.domain.terms import RiskTerms
from risk.models import GuardState, RiskEvent, RunLimits
from risk.services import arming, watch
from tests.risk import desk
from tests.strategies import stage
from trading.models import ExitGoal

pytestmark = pytest.mark.django_db
BELOW = RiskTerms(underlying_below=Decimal(23900))


class Deaf(desk.Deaf):
    asked: set[tuple[str, str]] = set()

    def quotes(self, keys: Any) -> Any:
        Deaf.asked |= set(keys)
        return super().quotes(keys)


@pytest.fixture(autouse=True)
def frozen(db: None) -> Iterator[Any]:
    Deaf.asked.clear()
    with stage.at() as moving, far_side(Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry_now()
        yield moving


def pass_time(frozen: Any, seconds: int) -> None:
    """The legs tick on, the index does not."""
    for _ in range(seconds):
        frozen.advance(1)
        desk.price(call=100, put=80)
        queue.client().delete(watch.REFRESHING)
        watch.sweep()


def test_an_index_that_stands_still_is_asked_for_and_rings(frozen: Any) -> None:
    desk.a_run(desk.accounts(1), BELOW)
    watch.sweep()
    pass_time(frozen, 25)
    assert ("NSE_INDEX", "NIFTY") in Deaf.asked
    assert desk.INDEX in Alarm.objects.get(kind="BLIND").text


def test_the_run_s_policy_for_blindness_acts(frozen: Any) -> None:
    desk.a_run(desk.accounts(1), BELOW, blind_policy="FLATTEN")
    watch.sweep()
    pass_time(frozen, 80)
    assert {goal.reason for goal in ExitGoal.objects.all()} == {"BLIND"}


def test_money_goes_on_being_judged_without_the_index(frozen: Any) -> None:
    desk.a_run(desk.accounts(1), BELOW, max_loss=Decimal(1000))
    watch.sweep()
    pass_time(frozen, 20)
    desk.price(call=130)
    watch.sweep()
    assert "MAX_LOSS" in RiskEvent.objects.values_list("kind", flat=True)


def test_an_index_that_nobody_watches_is_not_missed(frozen: Any) -> None:
    desk.a_run(desk.accounts(1), blind_policy="FLATTEN")
    watch.sweep()
    pass_time(frozen, 80)
    assert not Alarm.objects.filter(kind="BLIND").exists() and not ExitGoal.objects.exists()


def test_the_alert_that_was_given_misses_nothing_more(frozen: Any) -> None:
    desk.a_run(desk.accounts(1), BELOW)
    watch.sweep()
    GuardState.objects.filter(rule="UNDERLYING_BELOW").update(state="TRIPPED")
    pass_time(frozen, 25)
    assert not Alarm.objects.filter(kind="BLIND").exists()


def test_a_live_run_of_several_underlyings_is_given_no_index_level() -> None:
    """There is no one index it could be held against: it would wait for ever."""
    run = desk.a_run(desk.accounts(1))
    limits = RunLimits.objects.get(run=run)
    RunLimits.objects.update(structure={**limits.structure, "underlying": ""})
    with pytest.raises(Refused) as refused:
        arming.change(run.pk, LimitTerms(max_loss=Decimal(5000), more=BELOW), by="user:alice", why="more safety")
    assert "underlying_below" in refused.value.fields and not GuardState.objects.filter(rule="UNDERLYING_BELOW").exists()
