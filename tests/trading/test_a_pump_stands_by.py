"""One worker listens for the next account that asks; nobody who asks is left unheard."""

from __future__ import annotations

import pytest

from algomirror.ops import queue
from trading.services import wake, work

pytestmark = pytest.mark.django_db(transaction=True)


def _tasks() -> int:
    return queue.depth("orders")


def test_who_asks_while_a_pump_listens_queues_no_task() -> None:
    assert wake.stand_by("somebody")
    wake.wake([7])
    assert _tasks() == 0
    assert wake.take() == [7]


def test_who_asks_while_nobody_listens_calls_a_pump() -> None:
    wake.wake([7])
    assert _tasks() == 1


def test_a_pump_that_leaves_calls_its_relief_and_is_heard_no_more() -> None:
    work.pump(linger_s=0.05)
    assert queue.client().get(wake.STANDING) is None
    assert _tasks() == 1, "whoever asked in the very last moment is found by the relief"


def test_a_second_pump_leaves_at_once_and_takes_nothing_from_the_first() -> None:
    assert wake.stand_by("the first")
    work.pump(linger_s=30)
    assert queue.client().get(wake.STANDING) == b"the first"
    assert _tasks() == 0


def test_more_than_one_pumps_share_call_a_second() -> None:
    assert wake.stand_by("the first")
    queue.client().sadd(wake.DUE, *range(1, wake.SHARE + 3))
    assert len(wake.take()) == wake.SHARE
    assert _tasks() == 1
    assert len(wake.take()) == 2
