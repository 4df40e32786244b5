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
    assert seats.newcomers() == 0


def test_a_seat_is_free_again_whatever_happened_on_it() -> None:
    for _ in range(2 * seats.ELSEWHERE):
        with pytest.raises(ZeroDivisionError), seats.taken(), seats.left():
            _ = 1 / 0
    with seats.taken():
        assert seats.newcomers() == 0


def test_a_thread_without_a_seat_stands_up_from_none() -> None:
    with seats.left():
        pass
    enough = Event()
    sitting = [Thread(target=_sit, args=(enough,)) for _ in range(seats.number() + 1)]
    for one in sitting:
        one.start()
    try:
        wait_for(lambda: seats.newcomers() == 1, "one to find no seat")
    finally:
        enough.set()
        for one in sitting:
            one.join()


def _sit(until: Event) -> None:
    with seats.taken():
        until.wait(PATIENCE_S)


def test_who_begins_goes_before_who_is_further_on_and_who_hurries_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """One seat is handed on. The scale is hours here, so that no slow machine plays a part."""
    monkeypatch.setattr(seats, "BEHIND_S", 3_600.0)
    monkeypatch.setattr(seats, "HURRY_S", 36_000.0)
    queue, order = seats._Seats(), list[str]()
    for _ in range(seats.number()):
        queue.take(0, hurries=False)
    coming = {
        "far": (3, False),
        "further": (5, False),
        "near": (1, False),
        "exit": (4, True),
        "new": (0, False),
        "newer": (0, False),
    }
    threads = [Thread(target=_pass_on, args=(queue, order, name, *how)) for name, how in coming.items()]
    for n, thread in enumerate(threads, 1):
        thread.start()
        wait_for(lambda n=n: len(queue._queue) == n, "it to queue", every_s=0.001)  # type: ignore[misc]
    queue.leave()
    for thread in threads:
        thread.join()
    assert order == ["new", "newer", "exit", "near", "far", "further"]


def _pass_on(queue: seats._Seats, order: list[str], name: str, sat: int, hurries: bool) -> None:
    queue.take(sat, hurries=hurries)
    order.append(name)
    queue.leave()


def test_who_has_waited_long_goes_before_who_begins_now(monkeypatch: pytest.MonkeyPatch) -> None:
    queue, order = seats._Seats(), list[str]()
    monkeypatch.setattr(seats, "HURRY_S", 0.01)
    monkeypatch.setattr(seats, "BEHIND_S", 0.001)
    for _ in range(seats.number()):
        queue.take(0, hurries=False)
    old = Thread(target=_pass_on, args=(queue, order, "old", 9, False))
    old.start()
    wait_for(lambda: len(queue._queue) == 1, "it to queue", every_s=0.001)
    Event().wait(0.05)
    new = Thread(target=_pass_on, args=(queue, order, "new", 0, False))
    new.start()
    wait_for(lambda: len(queue._queue) == 2, "it to queue", every_s=0.001)
    queue.leave()
    old.join()
    new.join()
    assert order == ["old", "new"]
