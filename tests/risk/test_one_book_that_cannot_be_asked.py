"""A book that cannot be asked to leave keeps no other in the market: not for a stop, not for the kill switch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from accounts.gateway.directory import far_side
from algomirror.ops.models import Alarm
from risk.models import GuardState, RiskEvent
from risk.services import watch
from risk.services.kill import kill
from strategies.services import stop
from tests.risk import desk
from tests.risk.families import leaving
from tests.strategies import stage
from trading.models import Book
from trading.services import apply, flatten

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture(autouse=True)
def frozen(db: None) -> Iterator[Any]:
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry_now()
        yield moving


@pytest.fixture
def poisoned(monkeypatch: pytest.MonkeyPatch) -> Callable[[set[int]], None]:
    """Books whose row cannot be written."""
    books: set[int] = set()
    asked, froze = flatten.request, apply.freeze

    def request(book_id: int, **more: Any) -> Any:
        if book_id in books:
            raise RuntimeError("this one cannot")
        return asked(book_id, **more)

    def freeze(book_id: int, **more: Any) -> Any:
        if book_id in books:
            raise RuntimeError("this one cannot")
        return froze(book_id, **more)

    monkeypatch.setattr(flatten, "request", request)
    monkeypatch.setattr(apply, "freeze", freeze)

    def of(some: set[int]) -> None:
        books.clear()
        books.update(some)

    return of


def test_a_stop_takes_the_others_out_and_asks_it_again(poisoned: Any) -> None:
    on = desk.accounts(3)
    run = desk.a_run(on, max_loss=D(5000))
    watch.sweep()
    poisoned({run.books.get(account=on[0]).pk})
    desk.price(call=160)
    watch.sweep()
    assert leaving() == {account.pk for account in on[1:]}
    assert GuardState.objects.get(rule="MAX_LOSS").state == "TRIPPED" and RiskEvent.objects.count() == 1
    assert Alarm.objects.filter(kind="EXIT_NOT_ASKED").exists()
    poisoned(set())
    watch.sweep()
    assert leaving() == {account.pk for account in on} and RiskEvent.objects.count() == 1


def test_the_kill_switch_flattens_the_others_and_says_which_it_could_not(poisoned: Any) -> None:
    on = desk.accounts(3)
    run = desk.a_run(on)
    poison = run.books.get(account=on[0])
    poisoned({poison.pk})
    done = kill(scope="platform", target=None, level="FLATTEN", by="user:alice")
    assert leaving() == {account.pk for account in on[1:]}
    assert len(done.goals) == 2 and done.failures == [f"book {poison.pk}: RuntimeError"]


def test_a_halt_freezes_the_others(poisoned: Any) -> None:
    on = desk.accounts(3)
    run = desk.a_run(on)
    poison = run.books.get(account=on[0])
    poisoned({poison.pk})
    done = kill(scope="platform", target=None, level="HALT", by="user:alice")
    assert set(Book.objects.filter(state="FROZEN").values_list("account_id", flat=True)) == {a.pk for a in on[1:]}
    assert done.failures == [f"book {poison.pk}: RuntimeError"]


def test_leaving_by_hand_takes_the_others_out(poisoned: Any) -> None:
    on = desk.accounts(3)
    run = desk.a_run(on)
    poisoned({run.books.get(account=on[0]).pk})
    assert len(stop.exit_run(run.pk, by="user:alice")) == 2
    assert leaving() == {account.pk for account in on[1:]} and Alarm.objects.filter(kind="EXIT_NOT_ASKED").exists()
