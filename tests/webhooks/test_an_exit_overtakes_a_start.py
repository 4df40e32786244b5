"""A start waits for a worker, an exit does not. Whoever said start and then exit wants to be out."""

from __future__ import annotations

from typing import Any

import pytest

from algomirror.kernel.clock import FrozenClock
from strategies.models import Strategy
from strategies.services import start as starting
from strategies.webhooks import acts
from strategies.webhooks.models import Signal
from tests.api.caller import account
from tests.strategies import stage
from tests.webhooks import sender
from trading.models import ExitGoal, Run


def carried_out(row: Signal) -> Signal:
    acts.start(row.pk)
    row.refresh_from_db()
    return row


@pytest.mark.parametrize("word", ["exit", "kill"])
def test_a_start_that_still_waits_when_an_exit_comes_is_not_done(now: FrozenClock, word: str) -> None:
    made = sender.made(stage.saved([account(1)]))
    first = sender.send(made, "start", id="1")
    now.advance(5)
    assert sender.send(made, word, id="2").run_id is None
    assert carried_out(first).verdict == "DENIED", first.why
    assert not Run.objects.exists()


def test_a_kill_switches_entries_off_also_where_nothing_is_open() -> None:
    made = sender.made(stage.saved([account(1)]))
    assert sender.send(made, "kill").verdict == "ACCEPTED"
    assert not Strategy.objects.get().entries_enabled


def test_a_start_after_the_exit_is_done(now: FrozenClock) -> None:
    made = sender.made(stage.saved([account(1)]))
    sender.send(made, "exit", id="1")
    now.advance(1)
    assert carried_out(sender.send(made, "start", id="2")).verdict == "ACCEPTED"


def test_an_exit_of_another_strategy_or_of_one_account_stops_no_start() -> None:
    one, two = account(1), account(2)
    made = sender.made(stage.saved([one, two]))
    first = sender.send(made, "start", id="1")
    sender.send(made, "exit", id="2", account=two.pk)
    assert carried_out(first).verdict == "ACCEPTED"


def test_an_exit_that_comes_while_the_start_is_under_way_takes_its_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    made = sender.made(stage.saved([account(1)]))
    first = sender.send(made, "start", id="1")
    started = starting.start

    def with_an_exit_in_between(*args: Any, **more: Any) -> Run:
        assert sender.send(made, "exit", id="2").verdict == "NOTHING_OPEN"
        return started(*args, **more)

    monkeypatch.setattr(starting, "start", with_an_exit_in_between)
    assert carried_out(first).run_id == Run.objects.get().pk
    assert ExitGoal.objects.get().book.run_id == first.run_id and "exit" in first.why
