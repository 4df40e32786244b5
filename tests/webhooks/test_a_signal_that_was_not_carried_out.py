"""A signal was taken in, and then the database failed, or the process ended, before anything was asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import OperationalError

from algomirror.kernel.clock import FrozenClock
from algomirror.ops.models import Alarm
from strategies.models import Strategy
from strategies.services import stop
from strategies.webhooks import acts, tasks
from strategies.webhooks.models import Signal
from tests.api.caller import account
from tests.strategies import stage
from tests.webhooks import sender
from trading.models import ExitGoal, Position, Run
from trading.services import byhand


def a_run() -> tuple[Run, Any]:
    run = stage.started([account(1)])
    stage.filled(run)
    version = Strategy.objects.get(pk=run.strategy_id).current
    assert version is not None
    return run, sender.made(version)


def locked(*_: Any, **__: Any) -> Any:
    raise OperationalError("database is locked")


def test_an_exit_that_failed_rings_and_is_carried_out_when_it_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    run, made = a_run()
    said = json.dumps(sender.body(made, "exit", id="77"))
    with monkeypatch.context() as broken:
        broken.setattr(stop, "exit_run", locked)
        with pytest.raises(OperationalError):
            sender.post(made, said)
    assert Signal.objects.get().verdict == "FAILED"
    assert Alarm.objects.filter(kind="EXIT_NOT_ASKED").exists()
    assert sender.post(made, said).json()["verdict"] == "ACCEPTED"
    assert ExitGoal.objects.get().book.run_id == run.pk
    assert sender.post(made, said).json()["verdict"] == "DUPLICATE"
    assert ExitGoal.objects.count() == 1


@pytest.mark.parametrize("again", [False, True])
def test_an_exit_whose_process_ended_is_taken_up(monkeypatch: pytest.MonkeyPatch, now: FrozenClock, again: bool) -> None:
    _, made = a_run()
    said = json.dumps(sender.body(made, "exit", id="77"))
    with monkeypatch.context() as killed:
        killed.setattr(acts, "leave", lambda row, *_: row)
        sender.post(made, said)
    assert Signal.objects.get().verdict == "QUEUED" and not acts.has_left_behind()
    now.advance(11)
    assert acts.has_left_behind()
    if again:
        assert sender.post(made, said).json()["verdict"] == "ACCEPTED"
    else:
        tasks.take_up()
    assert ExitGoal.objects.count() == 1 and not acts.has_left_behind()
    assert Signal.objects.get().verdict == "ACCEPTED"


def test_part_of_a_leg_is_taken_out_once(monkeypatch: pytest.MonkeyPatch, now: FrozenClock) -> None:
    run, made = a_run()
    said = json.dumps(sender.body(made, "reduce", leg=1, lots=1, id="77"))
    with monkeypatch.context() as killed:
        killed.setattr(acts, "leave", lambda row, *_: row)
        sender.post(made, said)
    now.advance(11)
    tasks.take_up()
    tasks.take_up()
    assert sender.post(made, said).json()["verdict"] == "DUPLICATE"
    assert Signal.objects.filter(verdict="ACCEPTED").count() == 1 and ExitGoal.objects.get().book.run_id == run.pk


def test_a_start_whose_exit_failed_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    made = sender.made(stage.saved([account(1)]))
    first = sender.send(made, "start", id="1")
    with monkeypatch.context() as broken:
        broken.setattr(acts, "_leave", locked)
        with pytest.raises(OperationalError):
            sender.post(made, sender.body(made, "exit", id="2"))
    acts.start(first.pk)
    first.refresh_from_db()
    assert first.verdict == "DENIED" and not Run.objects.exists()


def test_an_account_that_fails_keeps_no_other_in(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = account(1), account(2)
    run = stage.started([one, two])
    stage.filled(run)
    version = Strategy.objects.get(pk=run.strategy_id).current
    assert version is not None
    asked = byhand.close_position
    poisoned = Position.objects.filter(book__account=one).values_list("pk", flat=True)

    def close(position_id: int, **more: Any) -> Any:
        return locked() if position_id in poisoned else asked(position_id, **more)

    monkeypatch.setattr(byhand, "close_position", close)
    short = Position.objects.filter(book__run=run, units__lt=0).first()
    assert short is not None
    row = sender.send(sender.made(version), "exit_leg", leg=short.leg)
    assert row.verdict == "ACCEPTED" and "we failed" in row.why
    assert ExitGoal.objects.get().book.account_id == two.pk
    assert Alarm.objects.get(kind="EXIT_NOT_ASKED").account_id == one.pk
