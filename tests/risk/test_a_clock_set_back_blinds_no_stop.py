"""Somebody sets the host's clock back while a run is open: prices that arrive from then on count, those of the future do not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from accounts.gateway.directory import far_side
from algomirror.kernel import clock
from algomirror.kernel.clock import FrozenClock
from algomirror.ops import queue
from algomirror.ops.models import Alarm
from marketdata import quotes as store
from risk.models import RiskEvent
from risk.services import fastguard, watch
from tests.risk import desk
from tests.strategies import stage
from trading.models import ExitGoal

pytestmark = pytest.mark.django_db
KEYS = [desk.CALL, desk.PUT]


@pytest.fixture(autouse=True)
def set_back(db: None) -> Iterator[FrozenClock]:
    """A run under watch by tick and by sweep, and then the clock."""
    with stage.at() as frozen, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry()
        yield frozen


def watched(frozen: FrozenClock, back_s: float) -> fastguard.FastGuard:
    desk.a_run(desk.accounts(1))
    watch.sweep()
    guard = fastguard.FastGuard()
    guard.reload()
    assert guard.see(store.get(KEYS), clock.now()) == []
    frozen.set(frozen.now() - timedelta(seconds=back_s))
    return guard


@pytest.mark.parametrize("back_s", [0, 3, 120, 3600])
def test_a_tick_after_it_trips_the_stop(set_back: FrozenClock, back_s: float) -> None:
    guard = watched(set_back, back_s)
    set_back.advance(4)
    desk.price(call=200, put=80)
    suspects = guard.see(store.get(KEYS), clock.now())
    assert len(suspects) == 1
    assert guard.commit(suspects[0], clock.now()) == 1


@pytest.mark.parametrize("back_s", [0, 3, 120, 3600])
def test_the_sweep_sees_it_too(set_back: FrozenClock, back_s: float) -> None:
    watched(set_back, back_s)
    set_back.advance(4)
    desk.price(call=200, put=80)
    watch.sweep()
    assert RiskEvent.objects.get().kind == "MAX_LOSS"


def test_no_run_is_blind_while_it_ticks(set_back: FrozenClock) -> None:
    desk.a_run(desk.accounts(1), blind_policy="FLATTEN")
    watch.sweep()
    set_back.set(set_back.now() - timedelta(minutes=2))
    for _ in range(80):
        set_back.advance(1)
        desk.price(call=100, put=80)
        queue.client().delete(watch.REFRESHING)
        watch.sweep()
    assert not ExitGoal.objects.exists() and not Alarm.objects.filter(kind="BLIND").exists()


def test_a_price_of_the_future_decides_nothing(set_back: FrozenClock) -> None:
    """The call has gone up beyond the stop, and the put, which hedges nothing, was last seen before the clock was set back."""
    guard = watched(set_back, 120)
    desk.price(call=200)
    assert guard.see(store.get(KEYS), clock.now()) == []
    watch.sweep()
    assert not RiskEvent.objects.exists()
    assert store.fresh(KEYS, clock.now()).keys() == {desk.CALL}


def test_an_older_price_still_replaces_no_younger_one(set_back: FrozenClock) -> None:
    desk.price(call=200)
    set_back.set(set_back.now() - timedelta(seconds=2))
    desk.price(call=90)
    assert store.get([desk.CALL])[desk.CALL].last_price == 200
