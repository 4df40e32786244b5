"""A guard that only alerts has said its word when it trips. Told to exit, or at another level, it begins anew."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from accounts.gateway.directory import far_side
from algomirror.kernel import clock
from marketdata import quotes as store
from risk.domain.limits import LimitTerms
from risk.domain.terms import LegTerms, Line, RiskTerms
from risk.models import GuardState, RiskEvent
from risk.services import arming, watch
from risk.services.fastguard import FastGuard
from tests.risk import desk
from tests.strategies import stage
from trading.models import ExitGoal

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture(autouse=True)
def frozen(db: None) -> Iterator[Any]:
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry_now()
        yield moving


def alerted(**limits: Any) -> Any:
    run = desk.a_run(desk.accounts(1), max_loss_action="ALERT", **{"max_loss": D(1000), **limits})
    desk.price(call=120)
    watch.sweep()
    assert RiskEvent.objects.get().action == "ALERT" and not ExitGoal.objects.exists()
    return run


def test_a_max_loss_that_alerted_and_is_told_to_exit_exits() -> None:
    run = alerted()
    arming.change(run.pk, LimitTerms(max_loss=D(2000)), by="user:alice", why="now in earnest")
    watch.sweep()
    assert not ExitGoal.objects.exists() and GuardState.objects.get(rule="MAX_LOSS").state == "ARMED"
    desk.price(call=140)
    watch.sweep()
    assert ExitGoal.objects.get().reason == "MAX_LOSS"


def test_it_exits_at_once_where_its_level_is_breached_already() -> None:
    run = alerted()
    arming.change(run.pk, LimitTerms(max_loss=D(1000)), by="user:alice")
    watch.sweep()
    assert ExitGoal.objects.get().reason == "MAX_LOSS"


def test_it_exits_on_the_tick_as_well() -> None:
    run = alerted()
    fast = FastGuard()
    fast.reload()
    arming.change(run.pk, LimitTerms(max_loss=D(2000)), by="user:alice", why="now in earnest")
    watch.sweep()
    fast.reload()
    desk.price(call=140)
    (suspect,) = fast.see(store.get([desk.CALL]), clock.now())
    assert fast.commit(suspect, clock.now()) == 1 and ExitGoal.objects.exists()


def test_an_alert_at_another_level_alerts_again() -> None:
    run = alerted()
    arming.change(run.pk, LimitTerms(max_loss=D(2000), max_loss_action="ALERT"), by="user:alice", why="later")
    desk.price(call=140)
    watch.sweep()
    assert RiskEvent.objects.count() == 2 and not ExitGoal.objects.exists()


def test_a_leg_s_alert_that_is_told_to_exit_exits() -> None:
    line = Line("POINTS", D(20))
    run = desk.a_run(desk.accounts(1), RiskTerms(legs={1: LegTerms(stop=line, action="ALERT")}), max_loss=D(9000))
    desk.price(call=125)
    watch.sweep()
    assert RiskEvent.objects.get().action == "ALERT"
    arming.change(run.pk, LimitTerms(max_loss=D(9000), more=RiskTerms(legs={1: LegTerms(stop=line)})), by="user:alice")
    watch.sweep()
    assert ExitGoal.objects.get().reason == "LEG_STOP"


def test_what_did_not_change_stays_said() -> None:
    run = alerted()
    arming.change(run.pk, LimitTerms(max_loss=D(1000), max_loss_action="ALERT", max_profit=D(9000)), by="user:alice")
    watch.sweep()
    assert RiskEvent.objects.count() == 1


def test_what_exits_stays_tripped_whatever_is_changed() -> None:
    run = desk.a_run(desk.accounts(1), max_loss=D(1000))
    desk.price(call=120)
    watch.sweep()
    arming.change(run.pk, LimitTerms(max_loss=D(2000)), by="user:alice", why="too late")
    watch.sweep()
    assert GuardState.objects.get(rule="MAX_LOSS").state == "TRIPPED" and RiskEvent.objects.count() == 1
