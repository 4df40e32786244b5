from __future__ import annotations

from datetime import time
from typing import Any

import pytest

from accounts.models import User
from accounts.services import people
from algomirror.kernel.clock import FrozenClock
from algomirror.ops import queue
from algomirror.ops.models import Journal
from strategies.webhooks import acts
from strategies.webhooks.models import Signal, Webhook
from tests.api.caller import account
from tests.strategies import stage
from tests.webhooks import sender
from trading.models import ExitGoal, Position, Run


def carry_out(made: Any, **more: Any) -> Any:
    """A start, and the worker that takes it."""
    row = sender.send(made, "start", **more)
    if row.verdict == "QUEUED":
        acts.start(row.pk)
        row.refresh_from_db()
    return row


def test_a_start_makes_one_run_however_often_the_task_is_delivered() -> None:
    made = sender.made(stage.saved([account(1)]))
    row = carry_out(made)
    acts.start(row.pk)
    assert (row.verdict, row.run_id) == ("ACCEPTED", Run.objects.get().pk), row.why
    assert Journal.objects.filter(kind="run.started", actor=f"webhook:{made.hook.pk}").count() == 1


def test_a_start_while_a_run_is_open_is_denied_by_the_gate() -> None:
    one = account(1)
    run = stage.started([one])
    made = services_for(run)
    row = carry_out(made)
    assert row.verdict == "DENIED" and "RUN_ALREADY_OPEN" in row.why


def services_for(run: Run, **more: Any) -> Any:
    from strategies.models import Strategy

    version = Strategy.objects.get(pk=run.strategy_id).current
    assert version is not None
    return sender.made(version, **more)


def test_a_paper_webhook_does_not_touch_live_money() -> None:
    made = sender.made(stage.saved([account(1, mode="LIVE")]))
    row = carry_out(made)
    assert row.verdict == "DENIED" and "paper" in row.why and not Run.objects.exists()


def test_a_start_that_waited_too_long_is_not_done(now: FrozenClock) -> None:
    made = sender.made(stage.saved([account(1)]))
    row = sender.send(made, "start")
    now.advance(61)
    acts.start(row.pk)
    row.refresh_from_db()
    assert row.verdict == "STALE" and not Run.objects.exists()


def test_a_start_is_nobodys_when_its_owner_may_not_trade_any_more() -> None:
    tara = stage.person("tara", "TRADER")
    made = sender.made(stage.saved([account(1)]), owner=tara)
    User.objects.filter(pk=tara.pk).update(role="VIEWER")
    assert carry_out(made).verdict == "DENIED"


def test_a_start_without_a_queue_fails_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    made = sender.made(stage.saved([account(1)]))
    monkeypatch.setattr(queue, "enqueue", lambda *_, **__: False)
    assert sender.send(made, "start").verdict == "FAILED"


def test_starts_keep_to_hours_cap_and_cool_off_and_leaving_does_not(now: FrozenClock) -> None:
    made = sender.made(stage.saved([account(1)]), weekdays=(0,))
    assert sender.send(made, "start").verdict == "OUT_OF_HOURS"
    assert sender.send(made, "stop").verdict == "ACCEPTED"
    Webhook.objects.update(weekdays=[], opens=time(15), closes=time(15, 20))
    assert sender.send(made, "start", id="0").verdict == "OUT_OF_HOURS"
    Webhook.objects.update(opens=None, closes=None, cool_off_s=100, max_starts_a_day=2)
    assert sender.send(made, "start", id="1").verdict == "QUEUED"
    assert sender.send(made, "start", id="2").verdict == "COOLING_OFF"
    now.advance(101)
    assert sender.send(made, "start", id="3").verdict == "QUEUED"
    now.advance(101)
    assert sender.send(made, "start", id="4").verdict == "OVER_CAP"
    assert sender.send(made, "exit").verdict == "NOTHING_OPEN"


def test_an_exit_asks_for_goals_at_once_and_twice_asks_for_no_more() -> None:
    run = stage.started([account(1), account(2)])
    stage.filled(run)
    made = services_for(run)
    first, second = sender.send(made, "exit", id="1"), sender.send(made, "exit", id="2")
    assert first.verdict == "ACCEPTED" and len(first.goal_ids) == 2 and second.goal_ids == first.goal_ids
    assert ExitGoal.objects.count() == 2


def test_an_exit_of_one_account_leaves_the_other() -> None:
    one, two = account(1), account(2)
    run = stage.started([one, two])
    stage.filled(run)
    sender.send(services_for(run), "exit", account=two.pk)
    assert [goal.book.account_id for goal in ExitGoal.objects.all()] == [two.pk]


def test_a_kill_stops_entries_and_flattens_its_own_run_only() -> None:
    run = stage.started([account(1)])
    stage.filled(run)
    made = services_for(run)
    assert sender.send(made, "kill").verdict == "ACCEPTED"
    assert not made.hook.strategy.__class__.objects.get(pk=run.strategy_id).entries_enabled
    assert ExitGoal.objects.get().reason == "KILL_SWITCH"
    from risk.models import TradingState

    assert not TradingState.objects.exclude(state="ACTIVE").exists()


def _units(run: Run, leg: int) -> dict[int, int]:
    held = Position.objects.filter(book__run=run, leg=leg)
    return {position.book.account_id: position.units for position in held}


def test_exit_leg_asks_for_one_leg_in_each_account_or_in_one() -> None:
    one, two = account(1), account(2)
    run = stage.started([one, two])
    stage.filled(run)
    made = services_for(run, acts=("EXIT_LEG",))
    short = Position.objects.filter(book__run=run, units__lt=0).first()
    assert short is not None
    only = sender.send(made, "exit_leg", leg=short.leg, account=two.pk)
    assert [goal.book.account_id for goal in ExitGoal.objects.all()] == [two.pk]
    assert only.verdict == "ACCEPTED" and "1 exits asked" in only.why
    both = sender.send(made, "exit_leg", leg=short.leg)
    assert both.verdict == "ACCEPTED" and len(both.goal_ids) == 2
    goals = ExitGoal.objects.all()
    assert {name.split(":")[1] for goal in goals for name in goal.targets} == {short.symbol}
    assert {units for goal in goals for units in goal.targets.values()} == {0}


def test_a_hedge_is_not_left_alone_by_a_signal_either() -> None:
    run = stage.started([account(1)])
    stage.filled(run)
    hedge = Position.objects.filter(book__run=run, units__gt=0).first()
    assert hedge is not None
    row = sender.send(services_for(run), "exit_leg", leg=hedge.leg)
    assert row.verdict == "DENIED" and "covers" in row.why and not ExitGoal.objects.exists()


def test_reduce_leaves_the_rest_of_the_leg() -> None:
    run = stage.started([account(1)], legs=stage.condor(lots=3))
    stage.filled(run)
    short = Position.objects.filter(book__run=run, units__lt=0).first()
    assert short is not None
    made = services_for(run)
    row = sender.send(made, "reduce", leg=short.leg, lots=1)
    assert row.verdict == "ACCEPTED", row.why
    lot = abs(short.units) // 3
    assert list(ExitGoal.objects.get().targets.values()) == [2 * lot]
    more = sender.send(made, "reduce", leg=short.leg, lots=99)
    assert more.verdict == "ACCEPTED" and list(ExitGoal.objects.get().targets.values()) == [0]
    assert sender.send(made, "reduce", leg=12, lots=1).verdict == "NOTHING_OPEN"


@pytest.mark.parametrize(
    ("action", "more", "says"),
    [
        ("exit_leg", {}, "leg is the number"),
        ("exit_leg", {"leg": 0}, "leg is the number"),
        ("exit_leg", {"leg": True}, "leg is the number"),
        ("exit_leg", {"leg": "1"}, "leg is the number"),
        ("exit_leg", {"leg": 13}, "leg is the number"),
        ("reduce", {"leg": 1}, "lots is how many"),
        ("reduce", {"leg": 1, "lots": 0}, "lots is how many"),
        ("reduce", {"leg": 1, "lots": 10_001}, "lots is how many"),
    ],
)
def test_a_part_that_is_not_named_is_unreadable(action: str, more: dict[str, Any], says: str) -> None:
    made = sender.made(stage.saved([account(1)]))
    sender.post(made, sender.body(made, action, **more), **{"X-Webhook-Secret": made.secret})
    row = Signal.objects.get()
    assert row.verdict == "UNREADABLE" and says in row.why


def test_a_start_for_an_owner_who_lost_an_account_is_denied() -> None:
    one, two = account(1), account(2)
    tara = stage.person("tara", "TRADER")
    made = sender.made(stage.saved([one, two]), owner=tara)
    people.assign(stage.alice(), tara.pk, [one.pk])
    row = carry_out(made)
    assert row.verdict == "DENIED" and "NOT_PERMITTED" in row.why and not Run.objects.exists()
