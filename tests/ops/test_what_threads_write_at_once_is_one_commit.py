"""To each of them it is a transaction of its own; to the disk it is one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from algomirror.ops import scribe, seats
from algomirror.ops.models import Alarm
from algomirror.ops.sqlite.base import DatabaseWrapper
from tests.cast import FRIDAY
from tests.patience import PATIENCE_S, wait_for
from trading.models import Position

pytestmark = pytest.mark.django_db(transaction=True)
sqlite_only = pytest.mark.skipif("connection.vendor != 'sqlite'", reason="PostgreSQL's server puts commits together itself")

Act = Callable[[], Any]


def note(key: str) -> Alarm:
    return Alarm.objects.create(at=FRIDAY, last_at=FRIDAY, kind="K", text="t", key=key, numbers={}, seen_times=0)


def noted() -> set[str]:
    return set(Alarm.objects.values_list("key", flat=True))


def seated(act: Act) -> Any:
    try:
        with seats.taken():
            return scribe.write(act)
    finally:
        connection.close()


@contextmanager
def at_once(*acts: Act) -> Iterator[list[Future[Any]]]:
    """All of them wait for the database, which is ours, until the block ends."""
    with ThreadPoolExecutor(len(acts)) as pool:
        with transaction.atomic():
            Alarm.objects.filter(key="ours").delete()
            note("ours")
            asked = []
            for act in acts:
                asked.append(pool.submit(seated, act))
                wait_for(lambda: scribe._one()._acts.qsize() == len(asked) - 1, "it to be asked", every_s=0.001)
            yield asked
        for one in asked:
            one.exception(PATIENCE_S)


@pytest.fixture(autouse=True)
def _a_fresh_scribe(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that holds nothing against anybody."""
    monkeypatch.setattr(scribe, "_scribe", None)


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which thread committed, in order."""
    done, commit = list[str](), DatabaseWrapper._commit

    def counted(self: DatabaseWrapper) -> Any:
        result = commit(self)
        done.append(threading.current_thread().name)
        return result

    monkeypatch.setattr(DatabaseWrapper, "_commit", counted)
    return done


@sqlite_only
def test_what_waits_together_is_committed_together(commits: list[str]) -> None:
    with at_once(*(lambda n=n: note(f"{n}") for n in range(scribe.MOST + 1))) as asked:
        pass
    assert [one.result().key for one in asked] == [f"{n}" for n in range(scribe.MOST + 1)]
    assert noted() == {"ours", *(f"{n}" for n in range(scribe.MOST + 1))}
    # No more in one than there may be: the last has one of its own.
    assert commits.count("scribe") == 2


@sqlite_only
def test_what_one_raises_takes_back_what_it_wrote_and_nothing_else() -> None:
    def spoilt() -> None:
        note("spoilt")
        raise ZeroDivisionError

    def thought_better() -> str:
        note("thought better")
        transaction.set_rollback(True)
        return "no"

    with at_once(lambda: note("a"), spoilt, thought_better, lambda: note("b")) as (_, raised, gave_up, _b):
        pass
    with pytest.raises(ZeroDivisionError):
        raised.result()
    assert gave_up.result() == "no"
    assert noted() == {"ours", "a", "b"}


@sqlite_only
def test_where_the_commit_fails_it_failed_for_all_and_the_next_are_alone(commits: list[str]) -> None:
    def of_no_book() -> None:
        # The database looks for the book at the commit.
        none = dict.fromkeys(("open_value", "realised", "bought_value", "sold_value"), 0)
        Position.objects.create(book_id=987_654, exchange="NFO", symbol="X", product="NRML", units=0, leg=1, **none)

    with at_once(lambda: note("a"), of_no_book) as first:
        pass
    for one in first:
        with pytest.raises(IntegrityError):
            one.result()
    assert noted() == {"ours"} and not Position.objects.exists()
    before = commits.count("scribe")
    with at_once(lambda: note("b"), of_no_book, lambda: note("c")) as (_, spoilt, _c):
        pass
    with pytest.raises(IntegrityError):
        spoilt.result()
    assert noted() == {"ours", "b", "c"}
    assert commits.count("scribe") - before == 2


@sqlite_only
def test_a_transaction_that_the_database_took_back_by_itself_is_nobodys_success() -> None:
    """As SQLite does when its disk is full."""

    def lost() -> None:
        connection.connection.execute("ROLLBACK")

    with at_once(lambda: note("a"), lost, lambda: note("b")) as asked:
        pass
    assert all(one.exception() is not None for one in asked)
    assert noted() == {"ours"}


@sqlite_only
def test_without_a_transaction_everybody_who_waits_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(self: DatabaseWrapper) -> None:
        if threading.current_thread().name == "scribe":
            raise OperationalError("database is locked")
        start(self)

    start = DatabaseWrapper._start_transaction_under_autocommit
    monkeypatch.setattr(DatabaseWrapper, "_start_transaction_under_autocommit", locked)
    for _ in range(2):
        with ThreadPoolExecutor(3) as pool:
            told = [pool.submit(seated, lambda: note("a")).exception(PATIENCE_S) for _ in range(3)]
        assert all(isinstance(error, OperationalError) for error in told)
    monkeypatch.undo()
    assert seated(lambda: note("b")).key == "b"
    assert noted() == {"b"}


@sqlite_only
def test_what_is_to_happen_after_the_commit_happens_where_it_was_asked_for() -> None:
    happened: list[tuple[str, str, bool]] = []

    def tell(key: str) -> None:
        happened.append((key, threading.current_thread().name, key in noted()))

    def with_news(key: str) -> str:
        note(key)
        transaction.on_commit(lambda: tell(key))
        return threading.current_thread().name

    def spoilt() -> None:
        with_news("spoilt")
        raise ZeroDivisionError

    with at_once(lambda: with_news("a"), spoilt, lambda: with_news("b")) as (a, _, b):
        assert not happened
    assert {a.result(), b.result()} == {"scribe"}
    assert sorted((key, written) for key, _, written in happened) == [("a", True), ("b", True)]
    assert all(name.startswith("ThreadPool") for _, name, _ in happened)


def test_who_does_not_sit_writes_by_itself() -> None:
    def here() -> str:
        note("a")
        return threading.current_thread().name

    assert scribe.write(here) == threading.current_thread().name
    with pytest.raises(ZeroDivisionError):
        scribe.write(lambda: (note("b"), 1 / 0))
    with transaction.atomic():
        scribe.write(lambda: note("c"))
        transaction.set_rollback(True)
    assert noted() == {"a"}


def test_who_sits_sees_at_once_what_was_written() -> None:
    def work(n: int) -> bool:
        try:
            with seats.taken():
                scribe.write(lambda: note(f"{n}"))
                return f"{n}" in noted()
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(work, range(60)))
    assert len(noted()) == 60
