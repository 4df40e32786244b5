from __future__ import annotations

import pytest

from accounts.gateway.directory import far_side
from accounts.gateway.reports import Failed, Why
from algomirror.ops import queue
from algomirror.ops.models import Alarm
from risk.models import Blindness, RiskEvent
from risk.services import watch
from tests.strategies import stage
from trading.models import ExitGoal

pytestmark = pytest.mark.django_db


class Deaf:
    """A server that answers no question about prices."""

    def __init__(self, account):
        self.account_id = account.pk

    asked = 0

    def quotes(self, keys):
        Deaf.asked += 1
        return Failed(Why.TIMEOUT, "no answer")


@pytest.fixture(autouse=True)
def clock_of_test(db):
    with stage.at() as frozen, far_side(Deaf):  # type: ignore[arg-type]
        stage.market()
        yield frozen


def blind_run(policy="HOLD"):
    run = stage.started([stage.account(1), stage.account(2)], blind_policy=policy)
    stage.filled(run)
    watch.sweep()
    return run


def pass_time(clock, seconds, step=1):
    for _ in range(int(seconds / step)):
        clock.advance(step)
        queue.client().delete(watch.REFRESHING)
        watch.sweep()


def kinds():
    return list(RiskEvent.objects.order_by("id").values_list("kind", flat=True))


def test_while_it_sees_nothing_is_written(clock_of_test):
    blind_run()
    assert Blindness.objects.get().since is None and kinds() == []


def test_it_alarms_after_t1_and_not_before(clock_of_test):
    blind_run()
    pass_time(clock_of_test, 6)  # the marks are 6 s old: blind since now
    assert Blindness.objects.get().since is not None
    pass_time(clock_of_test, 9)
    assert kinds() == []
    pass_time(clock_of_test, 2)
    assert kinds() == ["BLIND_START"]
    assert Alarm.objects.filter(kind="BLIND").exists()


def test_hold_keeps_alarming_and_asks_for_no_exit(clock_of_test):
    blind_run("HOLD")
    pass_time(clock_of_test, 90)
    assert kinds() == ["BLIND_START"] and not ExitGoal.objects.exists()
    assert Alarm.objects.get(kind="BLIND").seen_times > 5


def test_flatten_acts_after_t2_once(clock_of_test):
    run = blind_run("FLATTEN")
    pass_time(clock_of_test, 63)
    assert "BLIND" not in kinds()
    pass_time(clock_of_test, 10)
    assert kinds() == ["BLIND_START", "BLIND"]
    assert {g.reason for g in ExitGoal.objects.all()} == {"BLIND"}
    assert ExitGoal.objects.count() == run.books.count() == 2
    pass_time(clock_of_test, 5)
    assert kinds() == ["BLIND_START", "BLIND"] and ExitGoal.objects.count() == 2


def test_prices_that_return_end_it(clock_of_test):
    run = blind_run()
    pass_time(clock_of_test, 20)
    for position in run.books.first().positions.all():
        stage.tick(position.key, position.open_value / abs(position.units))
    watch.sweep()
    assert kinds() == ["BLIND_START", "BLIND_END"] and Blindness.objects.get().since is None


def test_a_closed_market_has_no_prices_to_miss(clock_of_test):
    blind_run("FLATTEN")
    clock_of_test.set(stage.NOW.replace(hour=11))
    before = Deaf.asked
    pass_time(clock_of_test, 120, step=10)
    assert kinds() == [] and not ExitGoal.objects.exists() and Deaf.asked == before
