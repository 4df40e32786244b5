"""The host's clock ran ahead and is set right. What was priced meanwhile is of the future; the next tick takes its place."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.gateway.directory import far_side
from algomirror.kernel import clock
from algomirror.ops import queue
from algomirror.ops.models import Alarm
from marketdata import quotes as store
from risk.models import RiskEvent
from risk.services import watch
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


def set_back(frozen: Any, minutes: int = 2) -> None:
    frozen.set(clock.now() - timedelta(minutes=minutes))


def test_no_run_is_blind_while_it_ticks(frozen: Any) -> None:
    desk.a_run(desk.accounts(1), blind_policy="FLATTEN")
    watch.sweep()
    set_back(frozen)
    for _ in range(80):
        frozen.advance(1)
        desk.price(call=100, put=80)
        queue.client().delete(watch.REFRESHING)
        watch.sweep()
    assert not ExitGoal.objects.exists() and not Alarm.objects.filter(kind="BLIND").exists()


def test_a_stop_acts_in_the_sweep(frozen: Any) -> None:
    desk.a_run(desk.accounts(1), max_loss=D(2000))
    watch.sweep()
    set_back(frozen)
    desk.price(call=150, put=80)
    watch.sweep()
    assert RiskEvent.objects.get().kind == "MAX_LOSS"


def test_a_stop_acts_on_the_tick(frozen: Any) -> None:
    desk.a_run(desk.accounts(1), max_loss=D(2000))
    watch.sweep()
    fast = FastGuard()
    fast.reload()
    set_back(frozen)
    desk.price(call=150, put=80)
    (suspect,) = fast.see(store.get([desk.CALL, desk.PUT]), clock.now())
    assert fast.commit(suspect, clock.now()) == 1


def test_a_price_of_the_future_decides_nothing_on_the_tick(frozen: Any) -> None:
    desk.a_run(desk.accounts(1), max_loss=D(2000))
    watch.sweep()
    fast = FastGuard()
    fast.reload()
    desk.price(call=150)
    ahead = store.get([desk.CALL])
    set_back(frozen)
    desk.price(put=80)
    assert fast.see({**ahead, **store.get([desk.PUT])}, clock.now()) == []


def test_a_second_s_difference_between_two_hosts_makes_no_price_younger() -> None:
    """Only what nobody trusts gives way to what is older."""
    (quote,) = store.get([desk.CALL]).values()
    from dataclasses import replace

    ahead = replace(quote, last_price=D(120), received_at=clock.now() + timedelta(seconds=4))
    assert store.put([ahead]) == 1 and store.put([replace(quote, last_price=D(90))]) == 0
    assert store.get([desk.CALL])[desk.CALL].last_price == 120
