from __future__ import annotations

from typing import Any

import pytest

from accounts.models import User
from algomirror.kernel.clock import FrozenClock
from algomirror.ops import queue
from algomirror.ops.models import Journal
from strategies.webhooks import acts
from strategies.webhooks.models import Webhook
from tests.api.caller import account
from tests.strategies import stage
from tests.webhooks import sender
from trading.models import ExitGoal, Run


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
    Webhook.objects.update(weekdays=[], cool_off_s=100, max_starts_a_day=2)
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
