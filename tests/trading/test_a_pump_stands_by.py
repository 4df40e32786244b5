"""One worker listens for the next account that asks; nobody who asks is left unheard."""

from __future__ import annotations

from threading import Event, Thread
from time import sleep

import pytest

from algomirror.ops import queue, seats
from algomirror.ops.lease import process_name
from tests.patience import PATIENCE_S, wait_for
from trading.services import wake, work

pytestmark = pytest.mark.django_db(transaction=True)


def _tasks() -> int:
    return queue.depth("orders")


def test_who_asks_while_a_pump_listens_queues_no_task() -> None:
    assert wake.stand_by("somebody")
    wake.wake([7])
    assert _tasks() == 0
    assert wake.take() == ([7], 0)


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


def test_a_pump_is_told_how_many_it_leaves() -> None:
    queue.client().sadd(wake.DUE, *range(1, wake.SHARE + 3))
    taken, left = wake.take()
    assert (len(taken), left) == (wake.SHARE, 2)
    assert wake.take(0) == ([], 2), "without room it takes none, and still knows"
    rest, left = wake.take()
    assert (len(rest), left) == (2, 0)


def test_what_is_more_than_one_takes_wakes_two_that_listen() -> None:
    assert wake.stand_by("the first")
    heard: list[bool] = []
    both = [Thread(target=lambda: heard.append(wake.listen(PATIENCE_S))) for _ in range(2)]
    for one in both:
        one.start()
    wake.wake(range(1, wake.SHARE + 2))
    for one in both:
        one.join()
    assert heard == [True, True]


def test_a_second_pump_is_called_before_so_many_ask() -> None:
    wake.expect(wake.SHARE)
    assert _tasks() == 0
    wake.expect(wake.SHARE + 1)
    assert _tasks() == 1


def test_more_than_one_can_do_wakes_a_second_that_listens_and_calls_one_for_the_case_that_none_does() -> None:
    heard: list[bool] = []
    second = Thread(target=lambda: heard.append(wake.listen(PATIENCE_S)))
    second.start()
    wake.share()
    second.join()
    assert heard == [True]
    assert _tasks() == 1


def test_a_pump_whose_threads_wait_to_compute_leaves_accounts_to_another() -> None:
    queue.client().sadd(wake.DUE, *range(1, 11))
    enough = Event()
    sitting = [Thread(target=_sit, args=(enough,)) for _ in range(seats.number() + work.CROWD)]
    for one in sitting:
        one.start()
    try:
        wait_for(lambda: seats.newcomers() == work.CROWD, "the last of them to wait for a seat")
        assert work.pump(seconds=0.3) == 0
    finally:
        enough.set()
        for one in sitting:
            one.join()
    assert queue.client().scard(wake.DUE) == 10
    assert _tasks() in (1, 2), "called again while nobody comes: there are two slots"


def test_a_pump_takes_no_account_that_would_wait_for_a_thread_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    is_over = Event()
    monkeypatch.setattr(work, "_turn", lambda _: is_over.wait(PATIENCE_S))
    monkeypatch.setattr(work, "THREADS", wake.SHARE + 1)
    queue.client().sadd(wake.DUE, *range(1, 11))
    pump = Thread(target=lambda: work.pump(seconds=0.5))
    pump.start()
    try:
        wait_for(lambda: queue.client().scard(wake.DUE) == 10 - work.THREADS, "all its threads to be at work")
        sleep(0.3)
        assert queue.client().scard(wake.DUE) == 10 - work.THREADS
    finally:
        is_over.set()
        pump.join()


def _sit(until: Event) -> None:
    with seats.taken():
        until.wait(PATIENCE_S)


def test_a_second_worker_leaves_its_note_to_the_first() -> None:
    queue.client().set("am:working:7", process_name(), ex=30)
    queue.client().sadd(wake.DUE, 7)
    turns = work.pump(seconds=1.0)
    assert queue.client().exists(work._note(7))
    assert turns < 5
