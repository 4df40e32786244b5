from __future__ import annotations

import threading
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections

from algomirror.kernel.errors import Denied, Refused
from algomirror.ops.models import Alarm, Journal
from risk import pages
from risk.domain.states import TradingMode
from risk.models import TradingState
from risk.services import gate, switch
from risk.services.kill import kill
from strategies.services import groups
from tests.strategies import stage
from trading.models import Book, ExitGoal, Order
from trading.services import apply, byhand, flatten

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now(db):
    with stage.at() as frozen:
        stage.market()
        yield frozen


def test_no_row_means_active_and_the_stricter_of_both_counts():
    a = stage.account(1)
    assert switch.effective_state(a.pk) is TradingMode.ACTIVE
    switch.set_state(None, "REDUCING", by="user:alice", why="x")
    assert switch.effective_state(a.pk) is TradingMode.REDUCING
    switch.set_state(a, "HALTED", by="user:alice", why="x")
    assert switch.effective_state(a.pk) is TradingMode.HALTED


def test_setting_never_loosens():
    a = stage.account(1)
    switch.set_state(a, "HALTED", by="user:alice", why="x")
    assert switch.set_state(a, "REDUCING", by="user:bob", why="y") is False
    assert switch.set_state(a, "ACTIVE", by="user:bob", why="y") is False
    assert TradingState.objects.get(account=a).state == "HALTED"


def test_only_the_owner_releases_and_says_why():
    a = stage.account(1)
    switch.set_state(a, "HALTED", by="user:alice", why="x")
    with pytest.raises(Refused):
        switch.release(a, user=stage.person("charlie", "TRADER"), why="please")
    with pytest.raises(Refused) as refused:
        switch.release(a, user=stage.alice(), why=" ")
    assert "reason" in refused.value.fields
    assert switch.release(a, user=stage.alice(), why="checked at the broker") is True
    assert switch.effective_state(a.pk) is TradingMode.ACTIVE


def run_with_fills(n=2):
    run = stage.started([stage.account(i + 1) for i in range(n)])
    stage.filled(run)
    return run


def test_reduce_stops_entries_and_leaves_the_rest():
    run = stage.started([stage.account(1)])
    done = kill(scope="platform", target=None, level="REDUCE", by="user:alice", reason="drill")
    assert done.cancels == 0 and done.goals == []
    assert switch.present(None) is TradingMode.REDUCING
    with pytest.raises(Denied) as denied:
        gate.recheck(Order.objects.filter(book__run=run).select_related("book").first())
    assert denied.value.code == "KILL_SWITCH"


def test_cancel_denies_what_was_never_sent():
    stage.started([stage.account(1)])
    done = kill(scope="platform", target=None, level="CANCEL", by="user:alice")
    assert done.cancels == 4 and set(Order.objects.values_list("state", flat=True)) == {"DENIED"}
    assert not ExitGoal.objects.exists()


def test_flatten_asks_for_every_book_once_however_often_it_is_pressed():
    run = run_with_fills()
    first = kill(scope="platform", target=None, level="FLATTEN", by="user:alice")
    again = kill(scope="platform", target=None, level="FLATTEN", by="user:alice")
    assert len(first.goals) == 2 and again.goals == first.goals
    assert {g.book_id for g in ExitGoal.objects.all()} == set(run.books.values_list("id", flat=True))
    assert {g.reason for g in ExitGoal.objects.all()} == {"KILL_SWITCH"}
    assert switch.present(None) is TradingMode.REDUCING


@pytest.fixture
def poisoned(monkeypatch):
    """A book that cannot be asked to leave."""
    books, asked = set(), flatten.request

    def request(book_id, **more):
        if book_id in books:
            raise RuntimeError("this one cannot")
        return asked(book_id, **more)

    monkeypatch.setattr(flatten, "request", request)
    return books


def test_a_book_that_cannot_be_asked_holds_up_no_other(poisoned):
    run = run_with_fills(3)
    first = run.books.order_by("id").first()
    poisoned.add(first.pk)
    done = kill(scope="platform", target=None, level="FLATTEN", by="user:alice")
    assert len(done.goals) == 2 and done.failures == [f"book {first.pk}: RuntimeError"]
    assert Alarm.objects.filter(kind="KILL_INCOMPLETE", account_id=first.account_id).exists()
    poisoned.clear()
    assert len(kill(scope="platform", target=None, level="FLATTEN", by="user:alice").goals) == 3


def test_closing_everything_by_hand_is_held_up_by_no_book_either(poisoned):
    run = run_with_fills(3)
    accounts = list(run.books.values_list("account_id", flat=True))
    first = run.books.order_by("account_id").first()
    poisoned.add(first.pk)
    assert len(byhand.close_accounts(accounts, by="user:alice", key="a")) == 2
    assert Alarm.objects.filter(kind="EXIT_NOT_ASKED", account_id=first.account_id).exists()
    poisoned.update(run.books.values_list("id", flat=True))
    with pytest.raises(RuntimeError):
        byhand.close_accounts(accounts, by="user:alice", key="b")


def test_one_account_only():
    run = run_with_fills()
    book = run.books.first()
    kill(scope="account", target=book.account_id, level="FLATTEN", by="user:alice")
    assert ExitGoal.objects.get().book_id == book.pk
    assert switch.present(None) is TradingMode.ACTIVE and switch.present(book.account_id) is TradingMode.REDUCING


def test_a_run_is_reduced_without_touching_its_accounts():
    run = stage.started([stage.account(1)])
    kill(scope="run", target=run.pk, level="REDUCE", by="user:alice")
    assert run.books.get().state == "REDUCING" and not TradingState.objects.exclude(state="ACTIVE").exists()
    with pytest.raises(Denied):
        gate.recheck(Order.objects.select_related("book").first())


def test_a_run_that_is_frozen_when_it_is_reduced_thaws_reduced():
    run = stage.started([stage.account(1)])
    book = run.books.get()
    apply.freeze(book.pk, kind="MISSING", why="the broker does not show it")
    kill(scope="run", target=run.pk, level="REDUCE", by="user:alice")
    apply.thaw(book.pk, who="engine:exits", why="it shows it again")
    assert run.books.get().state == "REDUCING"
    with pytest.raises(Denied):
        gate.recheck(Order.objects.select_related("book").first())


def test_halt_freezes_the_books_until_the_owner_releases():
    run = run_with_fills(1)
    kill(scope="platform", target=None, level="HALT", by="user:alice")
    assert run.books.get().state == "FROZEN" and switch.present(None) is TradingMode.HALTED
    switch.release(None, user=stage.alice(), why="over")
    assert run.books.get().state == "OPEN" and switch.present(None) is TradingMode.ACTIVE


def test_a_group_is_its_accounts_and_nobody_else():
    run = run_with_fills(3)
    first, second, third = (book.account for book in run.books.order_by("account_id"))
    group = groups.save("Family", {first.pk: Decimal(1), third.pk: Decimal("0.5")}, by="user:alice")
    done = kill(scope="group", target=group.pk, level="FLATTEN", by="user:alice")
    assert done.scope == f"group:{group.pk}" and len(done.goals) == 2
    assert {goal.book.account_id for goal in ExitGoal.objects.all()} == {first.pk, third.pk}
    assert [switch.present(account.pk).value for account in (first, second, third)] == ["REDUCING", "ACTIVE", "REDUCING"]
    assert switch.present(None) is TradingMode.ACTIVE
    assert {"value": f"group:{group.pk}", "label": "Group Family"} in pages.kill_scopes()


@pytest.mark.parametrize(
    ("scope", "target", "level"),
    [
        ("platform", None, "BOOM"),
        ("group", 999, "REDUCE"),
        ("account", 999, "REDUCE"),
        ("run", 999, "REDUCE"),
        ("moon", None, "REDUCE"),
        ("run", None, "HALT"),
    ],
)
def test_nonsense_is_refused_and_changes_nothing(scope, target, level):
    with pytest.raises(Refused):
        kill(scope=scope, target=target, level=level, by="user:alice")
    assert not TradingState.objects.exists()


def test_the_command_works_without_the_web_and_is_journaled(capsys):
    run_with_fills()
    call_command("kill_switch", "--level", "FLATTEN", "--scope", "platform", "--reason", "drill")
    assert ExitGoal.objects.count() == 2
    row = Journal.objects.filter(kind="kill.asked").latest("id")
    assert row.actor.startswith("command:") and row.why == "drill" and row.numbers["level"] == "FLATTEN"
    with pytest.raises(CommandError):
        call_command("kill_switch", "--level", "FLATTEN", "--scope", "account:none", "--reason", "x")


def test_the_last_look_denies_what_changed_after_the_plan():
    run = stage.started([stage.account(1)])
    order = Order.objects.filter(book__run=run).select_related("book").first()
    gate.recheck(order)
    switch.halt_account(order.account_id, why="the server queued an order", by="engine:orders")
    with pytest.raises(Denied) as denied:
        gate.recheck(order)
    assert denied.value.code == "ACCOUNT_HALTED"


def test_an_exiting_book_takes_no_entries():
    run = stage.started([stage.account(1)])
    Book.objects.filter(run=run).update(state="EXITING")
    with pytest.raises(Denied):
        gate.recheck(Order.objects.filter(book__run=run).select_related("book").first())


@pytest.mark.django_db(transaction=True)
def test_racing_switches_end_at_the_strictest():
    a = stage.account(1)
    barrier = threading.Barrier(6)

    def press(n):
        try:
            barrier.wait()
            switch.set_state(a, "HALTED" if n % 2 else "REDUCING", by=f"user:{n}", why="race")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=press, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert TradingState.objects.get(account=a).state == "HALTED"


def test_the_history_counts_what_fills_and_reads_prove():
    from datetime import timedelta

    from algomirror.kernel import clock
    from risk import kills
    from risk.services.kill import kill as press
    from tests import cast
    from tests.risk import desk

    one, two = desk.accounts(2)
    run = desk.a_run([one, two])
    press(scope="platform", target=None, level="FLATTEN", by="user:alice", reason="drill")
    (asked,) = kills.history()
    assert (asked.flat, asked.books, asked.read, asked.accounts) == (0, 2, 0, 2) and not asked.is_proven
    for book in run.books.all():
        stage.flat(book)
        cast.read(book.account, "POSITIONS", ago_s=-1)
    (asked,) = kills.history()
    assert asked.is_proven and asked.at <= clock.now() + timedelta(seconds=1)
