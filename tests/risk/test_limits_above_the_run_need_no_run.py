"""Limits above the run are looked at while one is set, whether or not a run is open: positions of tickets count as well."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from accounts.gateway.directory import far_side
from algomirror.kernel import clock
from algomirror.ops import queue
from risk import beats, tasks
from risk.models import EntryLock
from risk.services import daily
from tests import cast
from tests.risk import desk
from tests.risk.families import family
from tests.risk.test_limits_above_the_run import codes, entries, lost
from tests.strategies import stage
from trading.models import Book, ExitGoal, Run

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture(autouse=True)
def frozen(db: None) -> Iterator[Any]:
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry()
        queue.client().delete("am:queued:risk-sweep", "django_q:risk:q")
        yield moving


def beat() -> bool:
    """One beat of the metronome, and the worker that takes what it queued. Was there a sweep?"""
    before = queue.depth("risk")
    beats.enqueue()
    if queue.depth("risk") == before:
        return False
    queue.client().delete("am:queued:risk-sweep")
    tasks.sweep()
    return True


def a_ticket_that_lost(account: Any, rupees: int) -> Book:
    """Bought at 100 and still held, so many rupees below that."""
    book = Book.objects.create(kind="TICKET", account=account, mode="PAPER", opened_at=clock.now())
    cast.fill(cast.order(book, state="ACCEPTED", action="BUY", units=65, symbol=desk.CALL.split(":")[1]), price="100")
    desk.price(call=str(D(100) - D(rupees) / 65))
    return book


def test_what_a_ticket_loses_reaches_the_limit_of_its_account() -> None:
    (one,) = desk.accounts(1)
    daily.set_limits(one, {"daily_loss": D(3000)}, by="user:alice")
    book = a_ticket_that_lost(one, 3250)
    assert not Run.objects.exists()
    assert beat()
    assert ExitGoal.objects.get().book == book and EntryLock.objects.get().kind == "DAILY_LOSS"


def test_what_a_ticket_loses_reaches_the_limit_of_a_group() -> None:
    one, two = desk.accounts(2)
    family(one, two, daily_loss=D(3000))
    a_ticket_that_lost(one, 3250)
    assert beat() and EntryLock.objects.count() == 2


def test_a_run_that_ended_beyond_the_limit_locks_its_account() -> None:
    (one,) = desk.accounts(1)
    daily.set_limits(one, {"daily_loss": D(3000)}, by="user:alice")
    run = desk.a_run([one], max_loss=D(2000))
    for leg, price in ((1, "150"), (2, "80")):
        desk.close(run.books.get(), leg, price)
    lost(run, 3250)
    Book.objects.update(state="FLAT", flat_at=clock.now())
    Run.objects.update(state="CLOSED", flat_at=clock.now())
    assert beat() and codes(entries([one])) == ["DAILY_LOSS_LOCK"]


def test_the_last_of_the_losing_exits_begins_the_cool_down(frozen: Any) -> None:
    (one,) = desk.accounts(1)
    daily.set_limits(one, {"losing_exits": 2, "cool_down_minutes": 30}, by="user:alice")
    for n in range(2):
        run = desk.a_run([one], name=f"Lost {n}")
        for leg in (1, 2):
            desk.close(run.books.get(), leg, "130")
        Book.objects.filter(run=run).update(state="FLAT", flat_at=clock.now())
        Run.objects.filter(pk=run.pk).update(state="CLOSED", flat_at=clock.now())
        frozen.advance(60)
    assert beat()
    assert EntryLock.objects.get().kind == "COOL_DOWN"


def test_a_lock_that_stands_is_asserted_when_its_limit_was_taken_off() -> None:
    (one,) = desk.accounts(1)
    daily.set_limits(one, {"daily_loss": D(3000)}, by="user:alice")
    a_ticket_that_lost(one, 3250)
    assert beat()
    daily.AccountLimits.objects.all().delete()
    ExitGoal.objects.update(state="DONE", done_at=clock.now())
    Book.objects.update(state="OPEN")
    assert beat() and ExitGoal.objects.exclude(state="DONE").exists()


def test_nothing_is_looked_at_where_nothing_is_open_and_nothing_is_limited() -> None:
    assert not beat()
