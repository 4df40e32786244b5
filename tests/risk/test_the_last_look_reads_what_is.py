"""The last look before an entry leaves reads its rows at that moment, each of them, and asks nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Account, BrokerRead
from algomirror.kernel import clock
from algomirror.kernel.errors import Denied
from algomirror.ops.models import Heartbeat
from marketdata import calendar, status
from risk.models import EntryLock, TradingState
from risk.services import ceilings, gate
from tests import cast
from tests.strategies import stage
from trading.models import Order

pytestmark = pytest.mark.django_db


@pytest.fixture
def order() -> Any:
    with stage.at():
        stage.market()
        for index in (1, 2):
            stage.account(index)
        account = Account.objects.order_by("pk")[0]
        waiting = cast.order(cast.book(account, cast.run()), state="INITIALIZED", permit={"by": "x"})
        _heartbeat(0.1)
        gate.recheck(waiting)
        yield waiting


def _heartbeat(skew_s: float, others_s: float = 0.1) -> None:
    first, second = Account.objects.order_by("pk").values_list("pk", flat=True)[:2]
    at = clock.now().timestamp()
    detail = {"skew": {str(first): [skew_s, at], str(second): [others_s, at]}}
    Heartbeat.objects.update_or_create(name="feed", defaults={"at": clock.now(), "detail": detail})


def _lock(account: Account | None, *, why: str = "too much was lost", kind: str = "DAILY_LOSS") -> None:
    EntryLock.objects.create(
        account=account,
        scope_key="platform" if account is None else f"account:{account.pk}",
        trading_day=clock.trading_day(),
        kind=kind,
        since=clock.now(),
        until=clock.now() + timedelta(hours=9),
        why=why,
    )


def _account(order: Order, **fields: Any) -> None:
    Account.objects.filter(pk=order.account_id).update(**fields)


def _state(account_id: int | None, state: str) -> None:
    TradingState.objects.update_or_create(
        account_id=account_id, defaults={"state": state, "since": clock.now(), "by": "user:alice"}
    )


CHANGES = {
    "archived": (lambda o: _account(o, archived_at=clock.now(), is_primary=False), "NOT_PERMITTED"),
    "paused": (lambda o: _account(o, entries_enabled=False), "ACCOUNT_REDUCING"),
    "link": (lambda o: _account(o, link=Account.Link.REFUSED), "LINK_DOWN"),
    "mode": (lambda o: _account(o, mode="PAPER" if o.book.mode == "LIVE" else "LIVE"), "MODE_MISMATCH"),
    "platform": (lambda _: _state(None, "REDUCING"), "KILL_SWITCH"),
    "reducing": (lambda o: _state(o.account_id, "REDUCING"), "ACCOUNT_REDUCING"),
    "halted": (lambda o: _state(o.account_id, "HALTED"), "ACCOUNT_HALTED"),
    "lock": (lambda o: _lock(o.account), "DAILY_LOSS_LOCK"),
    "lock over all": (lambda _: _lock(None), "DAILY_LOSS_LOCK"),
    "its clock": (lambda _: _heartbeat(5.2), "CLOCK_SKEW"),
    "our clock": (lambda _: _heartbeat(-5.2, -5.2), "CLOCK_SKEW"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_changed_a_moment_ago_denies(order: Order, what: str) -> None:
    change, code = CHANGES[what]
    change(order)
    with pytest.raises(Denied) as denied:
        gate.recheck(order)
    assert code in {found["code"] for found in denied.value.numbers["denials"]}, denied.value


def test_what_denied_a_moment_ago_denies_no_more(order: Order) -> None:
    _heartbeat(9.0)
    with pytest.raises(Denied):
        gate.recheck(order)
    _heartbeat(0.2)
    gate.recheck(order)
    Heartbeat.objects.filter(name="feed").delete()
    assert status.skews() == {}
    gate.recheck(order)


def test_it_asks_for_the_account_its_states_its_locks_and_the_clocks(order: Order) -> None:
    calendar.sessions()
    with CaptureQueriesContext(
        connection,
    ) as asked:
        gate.recheck(order)
    tables = ("accounts_account", "risk_tradingstate", "risk_entrylock", "ops_heartbeat")
    assert [next(t for t in tables if f'FROM "{t}"' in q["sql"]) for q in asked.captured_queries] == list(tables)


def test_books_that_were_not_asked_for_deny_whoever_judges_by_them(order: Order) -> None:
    account = Account.objects.get(pk=order.account_id)
    BrokerRead.objects.filter(account=account).delete()
    facts = gate.account_facts([account], mode=account.mode, now=clock.now(), with_books=False)[account.pk]
    assert [d.code for d in gate.check_account(facts, with_books=True)] == ["BOOKS_NOT_READ"]
    assert list(gate.check_account(facts, with_books=False)) == []


def test_of_several_locks_the_first_is_named(order: Order) -> None:
    for kind, why in (("DAILY_LOSS", "the first"), ("COOL_DOWN", "the second")):
        _lock(order.account, kind=kind, why=why)
    found = ceilings.locked([order.account], clock.now())
    assert found[order.account_id].endswith("the first")
