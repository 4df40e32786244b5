from __future__ import annotations

import pytest

from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops.models import Alarm
from strategies.services import settle, stop
from tests.strategies import stage
from trading.models import Book, ExitGoal, Fill, Order, Run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_now")]


def state(run):
    return Run.objects.get(pk=run.pk).state


def test_it_opens_when_no_entry_is_left_and_closes_when_all_books_are_flat():
    run = stage.started([stage.account(1), stage.account(2)])
    assert settle.settle(run.pk) is False and state(run) == "ENTERING"
    stage.filled(run)
    assert settle.settle(run.pk) and state(run) == "OPEN"
    goals = stop.exit_run(run.pk, by="user:alice")
    assert len(goals) == 2 and settle.settle(run.pk) and state(run) == "EXITING"
    for book in run.books.all():
        stage.flat(book)
    ExitGoal.objects.update(state="DONE", done_at=clock.now())
    Book.objects.filter(run=run).update(state="FLAT", flat_at=clock.now())
    assert settle.settle(run.pk)
    run.refresh_from_db()
    assert (run.state, run.exit_reason, run.flat_at) == ("CLOSED", "MANUAL", clock.now())
    assert settle.settle(run.pk) is False


def test_a_run_where_every_order_failed_is_over_and_the_strategy_free():
    run = stage.started([stage.account(1)])
    Order.objects.update(state="REJECTED")
    assert settle.settle(run.pk)
    run.refresh_from_db()
    assert (run.state, run.exit_reason) == ("CLOSED", "ENTRY_ABORTED")


def test_an_entry_between_two_attempts_is_still_entering(_now):
    run = stage.started([stage.account(1)])
    stage.filled(run)
    between = {"cancel_asked_at": clock.now(), "finished_at": clock.now(), "follows_price": True}
    Order.objects.filter(leg=1).update(state="CANCELED", filled_units=0, **between)
    assert settle.settle(run.pk) is False and state(run) == "ENTERING"
    _now.advance(301)
    assert settle.settle(run.pk) and state(run) == "OPEN"


def test_an_exit_of_one_account_leaves_the_others_open():
    run = stage.started([stage.account(1), stage.account(2)])
    stage.filled(run)
    settle.settle(run.pk)
    book = run.books.first()
    assert len(stop.exit_run(run.pk, by="user:alice", account_id=book.account_id)) == 1
    assert settle.settle(run.pk) is False and state(run) == "OPEN"
    assert ExitGoal.objects.get().book_id == book.pk


def test_asking_twice_returns_the_same_goals():
    run = stage.started([stage.account(1)])
    stage.filled(run)
    assert stop.exit_run(run.pk, by="user:alice") == stop.exit_run(run.pk, by="user:bob")
    assert ExitGoal.objects.count() == 1
    with pytest.raises(Refused):
        stop.exit_run(999, by="user:alice")


def test_a_frozen_book_makes_the_run_stuck_and_back():
    run = stage.started([stage.account(1)])
    stage.filled(run)
    Book.objects.filter(run=run).update(state="FROZEN")
    assert settle.settle(run.pk) and state(run) == "STUCK"
    Book.objects.filter(run=run).update(state="OPEN")
    assert settle.settle(run.pk) and state(run) == "OPEN"


@pytest.mark.parametrize(
    ("reasons", "exit_reason"),
    [
        (["ENTRY_ABORTED", "MANUAL"], "MANUAL"),
        (["ENTRY_ABORTED", None], "CLOSED_OUTSIDE"),
        (["ENTRY_ABORTED", "ENTRY_ABORTED"], "ENTRY_ABORTED"),
        (["MAX_LOSS", "KILL_SWITCH"], "MAX_LOSS"),
    ],
)
def test_one_account_s_aborted_entry_is_not_why_the_others_left(reasons, exit_reason):
    run = stage.started([stage.account(1), stage.account(2)])
    stage.filled(run)
    for book, reason in zip(run.books.order_by("id"), reasons, strict=True):
        order = book.orders.first()
        Fill.objects.create(
            order=order, book=book, account=book.account, trading_day=order.trading_day, broker_order_id=f"b{book.pk}",
            cumulative_units=65, units=65, value=1, action=order.action, first_seen_at=clock.now(),
        )  # fmt: skip
        if reason is not None:
            ExitGoal.objects.create(
                book=book, reason=reason, asked_by="test", requested_at=clock.now(), state="DONE", done_at=clock.now()
            )
        stage.flat(book)
    assert settle.settle(run.pk)
    run.refresh_from_db()
    assert (run.state, run.exit_reason) == ("CLOSED", exit_reason)


def test_an_entry_that_is_less_than_planned_is_said_once():
    run = stage.started([stage.account(1), stage.account(2)])
    stage.filled(run)
    Order.objects.filter(book=run.books.last(), leg=1).update(state="REJECTED", filled_units=0)
    assert settle.settle(run.pk) and state(run) == "OPEN"
    assert "Account 2 195 of 260" in Alarm.objects.get(kind="ENTRY_INCOMPLETE").text
