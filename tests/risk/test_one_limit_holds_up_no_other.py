"""What cannot be done for one limit, account or book holds up no other, is told to a person, and is asked again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from accounts.gateway.directory import far_side
from algomirror.kernel import clock
from algomirror.ops import alarms, queue
from algomirror.ops.models import Alarm
from risk.models import AccountLimits, EntryLock, RiskEvent
from risk.services import daily, watch
from tests import cast
from tests.risk import desk
from tests.risk.families import family, leaving
from tests.risk.test_limits_above_the_run import lost
from tests.strategies import stage
from trading.models import Book, ExitGoal
from trading.pages import day as day_pages
from trading.services import flatten

pytestmark = pytest.mark.django_db
D = Decimal
Break = Callable[[set[int]], None]


@pytest.fixture(autouse=True)
def frozen(db: None) -> Iterator[Any]:
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry()
        yield moving


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> Break:
    """Books that cannot be asked to leave."""
    books: set[int] = set()
    asked = flatten.request

    def request(book_id: int, **more: Any) -> Any:
        if book_id in books:
            raise RuntimeError("this one cannot")
        return asked(book_id, **more)

    monkeypatch.setattr(flatten, "request", request)

    def of(some: set[int]) -> None:
        books.clear()
        books.update(some)

    return of


def rung() -> list[str]:
    return sorted(Alarm.objects.filter(kind="LIMIT_FAILED").values_list("text", flat=True))


def test_a_book_that_cannot_be_asked_silences_no_account_no_group_and_no_other_book(poisoned: Break) -> None:
    one, two, alone = desk.accounts(3)
    for account in (one, alone):
        daily.set_limits(account, {"daily_loss": D(1000)}, by="user:alice")
    family(one, two, daily_loss=D(3000))
    run = desk.a_run([one, two, alone], max_loss=D(90_000))
    lost(run, 3250)
    poison = run.books.get(account=one)
    poisoned({poison.pk})
    for _ in range(3):
        watch.sweep()
    assert leaving() == {two.pk, alone.pk}
    assert set(EntryLock.objects.values_list("account_id", flat=True)) == {one.pk, two.pk, alone.pk}
    (text,) = rung()
    assert f"book {poison.pk}" in text and "this one cannot" in text
    poisoned(set())
    watch.sweep()
    assert leaving() == {one.pk, two.pk, alone.pk}, "asked again by itself"


def test_under_the_platform_s_limit_everybody_else_leaves(poisoned: Break) -> None:
    on = desk.accounts(3)
    daily.set_limits(None, {"daily_loss": D(3000)}, by="user:alice")
    run = desk.a_run(on, max_loss=D(90_000))
    lost(run, 3250)
    poisoned({run.books.get(account=on[0]).pk})
    watch.sweep()
    assert leaving() == {account.pk for account in on[1:]} and EntryLock.objects.count() == 1 and rung()
    event = RiskEvent.objects.get()
    assert sorted(event.goal_ids) == sorted(ExitGoal.objects.values_list("pk", flat=True)) and len(event.goal_ids) == 2


def test_the_locks_of_a_group_are_all_there_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    on = desk.accounts(2)
    family(*on, daily_loss=D(3000))
    lost(desk.a_run(on, max_loss=D(90_000)), 3250)
    made, calls = EntryLock.objects.get_or_create, []

    def dies_at_the_second(**given: Any) -> Any:
        calls.append(given)
        if len(calls) == 2:
            raise OSError("killed")
        return made(**given)

    with monkeypatch.context() as broken:
        broken.setattr(EntryLock.objects, "get_or_create", dies_at_the_second)
        daily.look(clock.now())
    assert not EntryLock.objects.exists() and not ExitGoal.objects.exists() and not RiskEvent.objects.exists() and rung()
    daily.look(clock.now())
    assert leaving() == {account.pk for account in on}


def test_a_group_that_cannot_be_looked_at_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = desk.accounts(2)
    broken, _ = family(one, name="Broken", daily_loss=D(3000)), family(two, name="Whole", daily_loss=D(3000))
    lost(desk.a_run([one, two], max_loss=D(90_000)), 3250)
    made = day_pages.Today.made

    def breaks(today: Any, mode: str, accounts: Any = None) -> Any:
        if one.pk in accounts:
            raise ValueError("no sum")
        return made(today, mode, accounts)

    monkeypatch.setattr(day_pages.Today, "made", breaks)
    watch.sweep()
    assert leaving() == {two.pk} and len(rung()) == 1 and broken.name in rung()[0]


def test_what_was_locked_is_asked_again_while_the_day_cannot_be_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    (one,) = desk.accounts(1)
    daily.set_limits(one, {"daily_loss": D(3000)}, by="user:alice")
    lost(desk.a_run([one], max_loss=D(90_000)), 3250)
    watch.sweep()
    ExitGoal.objects.update(state="DONE", done_at=clock.now())
    Book.objects.update(state="OPEN")

    def breaks() -> Any:
        raise ValueError("no day")

    monkeypatch.setattr(day_pages, "today", breaks)
    watch.sweep()
    assert leaving() == {one.pk} and len(rung()) == 1


def test_an_entry_that_may_still_fill_is_asked_again_too(poisoned: Break) -> None:
    (one,) = desk.accounts(1)
    daily.set_limits(one, {"daily_loss": D(3000)}, by="user:alice")
    lost(desk.a_run([one], max_loss=D(90_000)), 3250)
    resting = desk.a_run([one], name="Resting", filled=False, max_loss=D(90_000)).books.get()
    cast.order(resting, state="ACCEPTED")
    poisoned({resting.pk})
    watch.sweep()
    assert not ExitGoal.objects.filter(book=resting).exists()
    poisoned(set())
    watch.sweep()
    assert ExitGoal.objects.filter(book=resting).count() == 1


def test_what_was_decided_stands_when_the_limit_is_taken_off(poisoned: Break) -> None:
    (one,) = desk.accounts(1)
    daily.set_limits(one, {"daily_loss": D(3000)}, by="user:alice")
    run = desk.a_run([one], max_loss=D(90_000))
    lost(run, 3250)
    poisoned({run.books.get().pk})
    watch.sweep()
    daily.set_limits(one, {}, by="user:alice")
    AccountLimits.objects.all().delete()
    poisoned(set())
    watch.sweep()
    assert leaving() == {one.pk}


def test_a_cool_down_begins_though_another_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = desk.accounts(2)
    for account in (one, two):
        daily.set_limits(account, {"losing_exits": 1, "cool_down_minutes": 30}, by="user:alice")
    run = desk.a_run([one, two])
    for book in run.books.all():
        for leg in (1, 2):
            desk.close(book, leg, "130")
    Book.objects.filter(run=run).update(state="FLAT", flat_at=clock.now())
    made = EntryLock.objects.get_or_create

    def breaks(**given: Any) -> Any:
        if given["defaults"]["account_id"] == one.pk:
            raise RuntimeError("no lock")
        return made(**given)

    monkeypatch.setattr(EntryLock.objects, "get_or_create", breaks)
    watch.sweep()
    assert list(EntryLock.objects.values_list("account_id", flat=True)) == [two.pk] and len(rung()) == 1


def test_an_exit_of_a_run_that_cannot_be_asked_again_keeps_no_limit_waiting(poisoned: Break) -> None:
    """The re-assertion of a run's own stop comes before the limits in a sweep."""
    one, two, three = desk.accounts(3)
    bad, good = desk.a_run([one], name="Bad", max_loss=D(1000)), desk.a_run([three], name="Good", max_loss=D(1000))
    desk.price(call=120)
    watch.sweep()
    assert leaving() == {one.pk, three.pk}
    ExitGoal.objects.update(state="DONE", done_at=clock.now())
    Book.objects.update(state="OPEN")
    daily.set_limits(two, {"daily_loss": D(1000)}, by="user:alice")
    desk.a_run([two], name="Other", max_loss=D(90_000))
    poisoned({bad.books.get().pk})
    watch.sweep()
    assert leaving() == {two.pk, three.pk} and good.pk
    assert Alarm.objects.filter(kind="EXIT_NOT_ASKED").count() == 1


def test_an_alarm_that_cannot_ring_stops_nothing(poisoned: Break, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = desk.accounts(2)
    family(one, two, daily_loss=D(3000))
    run = desk.a_run([one, two], max_loss=D(90_000))
    lost(run, 3250)
    poisoned({run.books.get(account=one).pk})
    ring = alarms.ring

    def dumb(kind: str, *given: Any, **more: Any) -> None:
        if kind == "LIMIT_FAILED":
            raise RuntimeError("no bell")
        ring(kind, *given, **more)

    monkeypatch.setattr(alarms, "ring", dumb)
    watch.sweep()
    assert leaving() == {two.pk}


def test_a_blind_run_takes_out_every_book_but_the_one_that_cannot_be_asked(poisoned: Break, frozen: Any) -> None:
    on = desk.accounts(2)
    run = desk.a_run(on, blind_policy="FLATTEN")
    watch.sweep()
    poisoned({run.books.get(account=on[0]).pk})
    for _ in range(100):
        frozen.advance(1)
        queue.client().delete(watch.REFRESHING)
        watch.sweep()
    assert leaving() == {on[1].pk}
    poisoned(set())
    watch.sweep()
    assert leaving() == {account.pk for account in on}
