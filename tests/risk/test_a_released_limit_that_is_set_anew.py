"""A release lets one breach pass. The limit that is set after it is another, and acts when it is reached."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from accounts.gateway.directory import far_side
from algomirror.kernel import clock
from risk.models import EntryLock, RiskEvent
from risk.services import daily, watch
from tests.risk import desk
from tests.risk.families import family
from tests.risk.test_limits_above_the_run import codes, entries, lost
from tests.strategies import stage
from trading.models import Book, ExitGoal

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture(autouse=True)
def frozen(db: None) -> Iterator[Any]:
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry_now()
        yield moving


def released(account: Any) -> None:
    """Locked at a loss of 3,250, released, and in the market again."""
    lost(desk.a_run([account], max_loss=D(90_000)), 3250)
    watch.sweep()
    assert daily.release(EntryLock.objects.get().pk, user=stage.alice(), why="one more try")
    ExitGoal.objects.update(state="DONE", done_at=clock.now())
    Book.objects.update(state="OPEN")


def loses_more(rupees: int) -> None:
    desk.price(call=100 + D(rupees) / 65)
    watch.sweep()
    watch.sweep()


def leaving() -> bool:
    return ExitGoal.objects.exclude(state="DONE").exists()


def test_a_limit_that_was_raised_acts_at_its_new_level() -> None:
    (one,) = desk.accounts(1)
    daily.set_limits(one, {"daily_loss": D(3000)}, by="user:alice")
    released(one)
    daily.set_limits(one, {"daily_loss": D(6000)}, by="user:alice")
    loses_more(1000)
    assert not leaving() and codes(entries([one])) == []
    loses_more(3000)
    assert leaving() and codes(entries([one])) == ["DAILY_LOSS_LOCK"]
    assert sorted(RiskEvent.objects.values_list("threshold", flat=True)) == [-6000, -3000]


def test_released_a_second_time_it_lets_that_level_pass_too() -> None:
    (one,) = desk.accounts(1)
    daily.set_limits(one, {"daily_loss": D(3000)}, by="user:alice")
    released(one)
    daily.set_limits(one, {"daily_loss": D(6000)}, by="user:alice")
    loses_more(3000)
    lock = EntryLock.objects.get()
    assert lock.released_by == "" and daily.release(lock.pk, user=stage.alice(), why="and another")
    loses_more(4000)
    assert codes(entries([one])) == []


def test_the_same_level_stays_released() -> None:
    (one,) = desk.accounts(1)
    daily.set_limits(one, {"daily_loss": D(3000)}, by="user:alice")
    released(one)
    daily.set_limits(one, {"daily_loss": D(3000), "max_lots": 50}, by="user:alice")
    loses_more(3000)
    assert not leaving() and codes(entries([one])) == []


def test_a_group_s_other_level_is_not_an_account_s() -> None:
    (one,) = desk.accounts(1)
    family(one, daily_loss=D(3000))
    released(one)
    loses_more(3000)
    assert codes(entries([one])) == []
    daily.set_limits(one, {"daily_loss": D(5000)}, by="user:alice")
    loses_more(3100)
    assert codes(entries([one])) == ["DAILY_LOSS_LOCK"]
