"""Close everything, an account, a leg: a book that cannot be asked keeps no other in the market."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from accounts.gateway.directory import far_side
from algomirror.ops.models import Alarm
from tests.risk import desk
from tests.risk.families import leaving
from tests.strategies import stage
from trading.models import Order, Position
from trading.services import byhand, cancel, flatten

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def frozen(db: None) -> Iterator[Any]:
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry_now()
        yield moving


def _everything(run: Any, accounts: list[int]) -> Any:
    return byhand.close_accounts(accounts, by="user:alice", key="k1")


def _a_leg(run: Any, accounts: list[int]) -> Any:
    return byhand.close_leg(run.pk, 1, by="user:alice", key="k1")


def _an_instrument(run: Any, accounts: list[int]) -> Any:
    return byhand.close_instrument(run.pk, desk.CALL, by="user:alice", key="k1")


@pytest.mark.parametrize("close", [_everything, _a_leg, _an_instrument])
def test_the_others_leave_and_the_same_click_again_asks_it_too(
    monkeypatch: pytest.MonkeyPatch, close: Callable[..., Any]
) -> None:
    on = desk.accounts(3)
    run = desk.a_run(on)
    poisoned, asked = run.books.get(account=on[0]).pk, flatten.request

    def request(book_id: int, **more: Any) -> Any:
        if book_id == poisoned:
            raise RuntimeError("this one cannot")
        return asked(book_id, **more)

    with monkeypatch.context() as broken:
        broken.setattr(flatten, "request", request)
        assert len(close(run, [account.pk for account in on])) == 2
    assert leaving() == {account.pk for account in on[1:]}
    assert Alarm.objects.get(kind="EXIT_NOT_ASKED").account_id == on[0].pk
    close(run, [account.pk for account in on])
    assert leaving() == {account.pk for account in on}


def test_where_none_can_be_asked_the_person_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    on = desk.accounts(2)
    desk.a_run(on)

    def request(*_: Any, **__: Any) -> Any:
        raise RuntimeError("this one cannot")

    monkeypatch.setattr(flatten, "request", request)
    with pytest.raises(RuntimeError):
        byhand.close_accounts([account.pk for account in on], by="user:alice", key="k1")
    assert Alarm.objects.filter(kind="EXIT_NOT_ASKED").count() == 2 and Position.objects.exclude(units=0).exists()


def test_of_several_orders_one_that_fails_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    run = stage.started(desk.accounts(2))
    first, second, *_ = Order.objects.filter(book__run=run).order_by("pk").values_list("pk", flat=True)
    known = cancel.request

    def request(order_id: int, **more: Any) -> bool:
        if order_id == first:
            raise ValueError("its key cannot be unsealed")
        return known(order_id, **more)

    monkeypatch.setattr(cancel, "request", request)
    outcomes = byhand.each([first, second], lambda pk: byhand.cancel_order(pk, by="user:alice"))
    assert [(one.asked, one.state) for one in outcomes] == [(False, "INITIALIZED"), (True, "DENIED")]
    assert "ValueError" in outcomes[0].error
