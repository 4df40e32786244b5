from __future__ import annotations

import threading
from decimal import Decimal

import pytest
from django.db import connections

from accounts.gateway.directory import far_side
from algomirror.kernel import clock
from algomirror.kernel.errors import Conflict
from algomirror.ops.models import Alarm, Journal
from marketdata import quotes as store
from risk.domain.guards import GuardView, Stage
from risk.domain.terms import LegTerms, Line, RiskTerms, Trail
from risk.models import AccountLimits, EntryLock, GuardState, RiskEvent
from risk.services import daily, grouped, sweep
from strategies.services import groups
from tests.risk import desk
from tests.strategies import stage
from trading.models import ExitGoal

pytestmark = pytest.mark.django_db(transaction=True)
D = Decimal
RACERS = 10


@pytest.fixture(autouse=True)
def _now(db):
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry()
        yield moving


def race(act):
    """Ten threads at once; what each returned. Nobody may fail."""
    barrier = threading.Barrier(RACERS)
    made, failed = [], []

    def one(n):
        try:
            barrier.wait()
            made.append(act(n))
        except Exception as error:
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one, args=(n,)) for n in range(RACERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed, failed
    return made


def test_several_rules_at_once_make_one_event_each_and_one_goal_a_book():
    run = desk.a_run(
        desk.accounts(2),
        RiskTerms(
            trail=Trail("AMOUNT", D(1000)),
            legs={1: LegTerms(stop=Line("PERCENT", D(30)))},
            premium_stop=Line("PERCENT", D(10)),
        ),
        max_loss=D(4000),
    )
    desk.price(call=140)
    quotes, now = store.get([desk.CALL, desk.PUT]), clock.now()
    made = race(lambda n: len(sweep.evaluate_run(run.pk, quotes=quotes, now=now, seen_by="tick" if n % 2 else "sweep")))
    kinds = sorted(RiskEvent.objects.values_list("kind", flat=True))
    assert kinds == ["LEG_STOP", "LEG_STOP", "MAX_LOSS", "PREMIUM_STOP", "TRAILING_STOP"] and sum(made) == 5
    assert ExitGoal.objects.count() == 2 and all(goal.targets is None for goal in ExitGoal.objects.all())
    assert Journal.objects.filter(kind="risk.tripped").count() == 5


def test_ten_memories_of_different_peaks_leave_the_highest():
    """Each evaluator saw another peak; whoever writes last must not lower what was written before."""
    run = desk.a_run(desk.accounts(1), RiskTerms(trail=Trail("AMOUNT", D(90_000))), max_loss=D(90_000))
    quotes, now = store.get([desk.CALL, desk.PUT]), clock.now()
    sweep.evaluate_run(run.pk, quotes=quotes, now=now, seen_by="sweep")
    guard = GuardState.objects.get(rule="TRAILING_STOP")
    views = [
        GuardView(Stage.ARMED, inputs={**guard.inputs, "peak": str(100 * n), "stop": str(100 * n - 90_000)})
        for n in range(RACERS)
    ]
    for _ in range(2):
        race(lambda n: sweep.evaluate_run(run.pk, quotes=quotes, now=now, seen_by="tick", memories={guard.pk: views[n]}))
    for view in views:
        sweep.evaluate_run(run.pk, quotes=quotes, now=now, seen_by="tick", memories={guard.pk: view})
    guard.refresh_from_db()
    assert D(guard.inputs["peak"]) == 900 and guard.level == 900 - 90_000


def test_a_daily_limit_seen_by_ten_locks_once():
    (one,) = desk.accounts(1)
    daily.set_limits(one, {"daily_loss": D(1000)}, by="user:alice")
    desk.a_run([one], max_loss=D(90_000))
    desk.price(call=120)
    race(lambda n: daily.look(clock.now()))
    assert EntryLock.objects.count() == 1 and RiskEvent.objects.count() == 1 and ExitGoal.objects.count() == 1


def test_limits_over_each_other_seen_by_ten_wait_for_nobody():
    """The platform's, two groups' that share an account, and each account's: none waits for what the other has."""
    on = desk.accounts(3)
    daily.set_limits(None, {"daily_loss": D(1000)}, by="user:alice")
    for account in on:
        daily.set_limits(account, {"daily_loss": D(1000)}, by="user:alice")
    for name, members in (("First", on[:2]), ("Second", on[1:])):
        group = groups.save(name, {account.pk: D(1) for account in members}, by="user:alice")
        grouped.set_limits(group.pk, {"daily_loss": D(1000)}, by="user:alice")
    for name in ("One", "Two"):
        desk.a_run(list(reversed(on)), name=name, max_loss=D(90_000))
    desk.price(call=120)
    race(lambda n: daily.look(clock.now()))
    assert not Alarm.objects.filter(kind="LIMIT_FAILED").exists()
    assert EntryLock.objects.count() == 1 + 3 + 4 == RiskEvent.objects.count() and ExitGoal.objects.count() == 6


def test_limits_written_first_by_ten_at_once_are_one_row_and_no_error():
    """Who comes second is told so."""

    def write(n):
        try:
            return daily.set_limits(None, {"daily_loss": D(1000 + n)}, by=f"user:{n}")
        except Conflict as late:
            return late

    said = race(write)
    assert any(one is True for one in said) and AccountLimits.objects.count() == 1


def test_who_writes_limits_a_moment_later_is_told_so(monkeypatch):
    now = clock.now

    def meanwhile():
        if not AccountLimits.objects.exists():
            AccountLimits.objects.create(daily_loss=D(1), changed_at=now(), changed_by="user:bob")
        return now()

    monkeypatch.setattr(grouped.clock, "now", meanwhile)
    with pytest.raises(Conflict):
        daily.set_limits(None, {"daily_loss": D(1000)}, by="user:alice")
    assert not AccountLimits.objects.filter(daily_loss=1000).exists() and not Journal.objects.filter(kind="risk.limits").exists()
