"""Threads that compute sit; those that wait for somebody else stand up meanwhile."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock, Thread
from typing import Any

import pytest
from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction

from algomirror.ops import seats
from tests.patience import PATIENCE_S, wait_for

THREADS = 24


@pytest.mark.django_db(transaction=True)
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


@pytest.mark.django_db(transaction=True)
def test_a_seat_is_free_again_whatever_happened_on_it() -> None:
    for _ in range(2 * seats.ELSEWHERE):
        with pytest.raises(ZeroDivisionError), seats.taken(), seats.left():
            _ = 1 / 0
    with seats.taken():
        assert seats.newcomers() == 0


@pytest.mark.django_db(transaction=True)
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


def test_who_came_first_is_next_and_who_hurries_goes_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """One seat is handed on. The scale is hours here, so that no slow machine plays a part."""
    monkeypatch.setattr(seats, "HURRY_S", 36_000.0)
    queue, order = seats._Seats(), list[str]()
    for _ in range(seats.number()):
        queue.take(is_new=True, hurries=False)
    coming = {
        "far": (False, False),
        "new": (True, False),
        "exit": (False, True),
        "near": (False, False),
        "newer exit": (True, True),
    }
    threads = [Thread(target=_pass_on, args=(queue, order, name, *how)) for name, how in coming.items()]
    for n, thread in enumerate(threads, 1):
        thread.start()
        wait_for(lambda n=n: len(queue._queue) == n, "it to queue", every_s=0.001)  # type: ignore[misc]
    queue.leave()
    for thread in threads:
        thread.join()
    assert order == ["exit", "newer exit", "far", "new", "near"]


def _pass_on(queue: seats._Seats, order: list[str], name: str, is_new: bool, hurries: bool) -> None:
    queue.take(is_new=is_new, hurries=hurries)
    order.append(name)
    queue.leave()


def test_who_has_waited_long_goes_before_who_hurries_now(monkeypatch: pytest.MonkeyPatch) -> None:
    queue, order = seats._Seats(), list[str]()
    monkeypatch.setattr(seats, "HURRY_S", 0.01)
    for _ in range(seats.number()):
        queue.take(is_new=True, hurries=False)
    old = Thread(target=_pass_on, args=(queue, order, "old", False, False))
    old.start()
    wait_for(lambda: len(queue._queue) == 1, "it to queue", every_s=0.001)
    Event().wait(0.05)
    new = Thread(target=_pass_on, args=(queue, order, "new", True, True))
    new.start()
    wait_for(lambda: len(queue._queue) == 2, "it to queue", every_s=0.001)
    queue.leave()
    old.join()
    new.join()
    assert order == ["old", "new"]


def _database() -> Any:
    return connections[DEFAULT_DB_ALIAS]


@pytest.mark.django_db(transaction=True)
def test_a_seat_has_its_own_connection_and_who_gets_up_has_its_own_again() -> None:
    seen, mine = list[Any](), _database()

    def sit() -> None:
        own = _database()
        with seats.taken():
            seen.append(_database())
            with seats.left():
                assert _database() is own
            assert _database() is not own
        assert _database() is own

    for _ in range(3):
        thread = Thread(target=sit)
        thread.start()
        thread.join()
    assert len(set(map(id, seen))) == 1, "each thread began with a cold connection"
    assert seen[0] is not mine


@pytest.mark.django_db(transaction=True)
def test_in_a_transaction_nobody_gets_up_and_its_connection_is_nobody_elses() -> None:
    with seats.taken():
        sitting = _database()
        with transaction.atomic(), seats.left():
            assert _database() is sitting and sitting.in_atomic_block
            assert seats.is_seated()
        assert not sitting.in_atomic_block
    assert not seats.is_seated()


@pytest.mark.django_db(transaction=True)
def test_a_connection_past_its_time_is_not_handed_on() -> None:
    with seats.taken(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        kept = _database()
        old, kept.close_at = kept.connection, 0
    with seats.taken(), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert _database() is kept and kept.connection is not old


@pytest.mark.django_db(transaction=True)
def test_while_the_seats_are_closed_nobody_sits_down_and_who_sits_goes_on() -> None:
    sat, enough = Event(), Event()

    def come() -> None:
        with seats.taken():
            sat.set()

    with seats.taken(), seats.closed():
        late = Thread(target=come)
        late.start()
        wait_for(lambda: seats.newcomers() == 1, "it to queue", every_s=0.001)
        with seats.closed():
            pass
        assert seats.is_seated()
        enough.set()
    late.join()
    assert sat.is_set() and enough.is_set()


@pytest.mark.django_db(transaction=True)
def test_who_cannot_sit_down_again_leaves_one_seat_and_not_two(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Any, *, anew: bool) -> None:
        if not anew:
            raise OSError("no connection")
        sit_down(self, anew=anew)

    sit_down = seats._Seats.sit_down
    monkeypatch.setattr(seats, "_seats", None)
    with monkeypatch.context() as patch:
        patch.setattr(seats._Seats, "sit_down", broken)
        with pytest.raises(OSError), seats.taken(), seats.left():
            pass
    assert seats._all()._free == seats.number()
    assert not seats.is_seated() and _database() not in seats._all()._connections
