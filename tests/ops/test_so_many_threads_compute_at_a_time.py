"""Threads that compute sit; those that wait for somebody else stand up meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock, Thread

import pytest

from algomirror.ops import seats
from tests.patience import PATIENCE_S, wait_for

THREADS = 24


def test_never_more_than_there_are_seats_and_everybody_gets_one() -> None:
    at_once, most, counting, done = 0, 0, Lock(), []

    def compute(n: int) -> None:
        nonlocal at_once, most
        with seats.taken():
            for _ in range(3):
                with counting:
                    at_once += 1
                    most = max(most, at_once)
                sum(range(2_000))
                with counting:
                    at_once -= 1
                with seats.left():
                    Event().wait(0.001)
        done.append(n)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(compute, range(THREADS)))
    assert most <= seats.number()
    assert sorted(done) == list(range(THREADS))
    assert seats.waiting() == 0


def test_a_seat_is_free_again_whatever_happened_on_it() -> None:
    for _ in range(2 * seats.ELSEWHERE):
        with pytest.raises(ZeroDivisionError), seats.taken(), seats.left():
            _ = 1 / 0
    with seats.taken():
        assert seats.waiting() == 0


def test_a_thread_without_a_seat_stands_up_from_none() -> None:
    with seats.left():
        pass
    enough = Event()
    sitting = [Thread(target=_sit, args=(enough,)) for _ in range(seats.number() + 1)]
    for one in sitting:
        one.start()
    try:
        wait_for(lambda: seats.waiting() == 1, "one to find no seat")
    finally:
        enough.set()
        for one in sitting:
            one.join()


def _sit(until: Event) -> None:
    with seats.taken():
        until.wait(PATIENCE_S)
