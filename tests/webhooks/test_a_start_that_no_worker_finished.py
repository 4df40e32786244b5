"""A worker dies, or the queue forgets a task: the signal does not wait for ever, and a person hears that nothing began."""

from __future__ import annotations

import pytest

from algomirror.kernel.clock import FrozenClock
from algomirror.ops import queue
from algomirror.ops.models import Alarm
from strategies import beats
from strategies.webhooks import acts, tasks
from strategies.webhooks.models import Signal
from tests.api.caller import account
from tests.strategies import stage
from tests.webhooks import sender
from trading.models import Run


@pytest.fixture(autouse=True)
def _empty() -> None:
    queue.client().delete("am:queued:signals-lost", "django_q:signals:q")


def is_looked_for() -> bool:
    """One beat: is a worker sent to look?"""
    before = queue.depth("signals")
    beats.enqueue()
    return queue.depth("signals") > before


def test_a_start_that_nobody_took_fails_and_rings(now: FrozenClock) -> None:
    made = sender.made(stage.saved([account(1)]))
    row = sender.send(made, "start")
    now.advance(119)
    assert not is_looked_for()
    now.advance(2)
    assert is_looked_for()
    tasks.close_lost()
    row.refresh_from_db()
    assert row.verdict == "FAILED" and "no worker" in row.why and not Run.objects.exists()
    assert made.hook.strategy.name in Alarm.objects.get(kind="ENTRY_SIGNAL_LOST").text
    acts.start(row.pk)
    assert not Run.objects.exists(), "whoever comes later finds it closed"
    assert not is_looked_for()


def test_a_start_whose_worker_died_after_its_run_stood_names_it(now: FrozenClock) -> None:
    made = sender.made(stage.saved([account(1)]))
    row = sender.send(made, "start")
    acts.start(row.pk)
    run = Run.objects.get()
    Signal.objects.filter(pk=row.pk).update(verdict="QUEUED", run_id=None, why="")
    now.advance(121)
    assert is_looked_for()
    tasks.close_lost()
    row.refresh_from_db()
    assert (row.verdict, row.run_id) == ("ACCEPTED", run.pk) and not Alarm.objects.filter(kind="ENTRY_SIGNAL_LOST").exists()


def test_one_that_is_under_way_is_left_alone(now: FrozenClock) -> None:
    made = sender.made(stage.saved([account(1)]))
    row = sender.send(made, "start")
    now.advance(30)
    tasks.close_lost()
    row.refresh_from_db()
    assert row.verdict == "QUEUED"
