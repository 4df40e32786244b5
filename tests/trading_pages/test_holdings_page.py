"""Shares in the depositories, as the brokers report them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.crypto import seal
from accounts.models import Account, BrokerRead
from algomirror.kernel import clock
from simulator.shares import of_account
from simulator.world import World
from tests import cast, page_rules
from tests.accounts.far import behind
from trading import tasks
from trading.pages.holdings import holdings_page
from trading.services import holdings


@pytest.fixture
def world() -> World:
    made = World(accounts=2, always_open=True, limits=None)
    for one in made.accounts:
        one.shares = of_account(one.index)
    return made


def member(world: World, index: int, name: str) -> Account:
    made = cast.account(name, host_url=f"http://127.0.0.1:{5600 + index}")
    Account.objects.filter(pk=made.pk).update(sealed_key=seal(world.accounts[index - 1].api_key))
    return made


def kept(**totals: object) -> dict[str, object]:
    return {"rows": [], "value": None, "invested": None, "pnl": None, "pnl_percent": None, **totals}


def test_the_worker_keeps_what_every_broker_reports_and_the_page_shows_it(world: World) -> None:
    anil, bina = member(world, 1, "Anil One"), member(world, 2, "Bina Two")
    with behind(world):
        tasks.holdings(anil.pk, bina.pk)
    found = holdings_page()
    assert [(row.tag.name, row.symbol, row.units) for row in found.rows] == [
        ("Anil One", "RELIANCE", 40),
        ("Anil One", "HDFCBANK", 75),
        ("Bina Two", "HDFCBANK", 150),
        ("Bina Two", "NIFTYBEES", 1200),
    ]
    assert found.totals.value == Decimal("785264.75")
    shown = page_rules.text_of(cast.signed_in(cast.bob()).get("/holdings"))
    assert "RELIANCE" in shown
    assert "₹7.85 L" in shown


def test_a_failed_reading_keeps_the_rows_greys_them_and_says_why() -> None:
    anil = cast.account()
    row = {"exchange": "NSE", "symbol": "TCS", "product": "CNC", "units": 18, "pnl": "12.50"}
    cast.read(anil, "HOLDINGS", kept(rows=[row]), error="TIMEOUT: no answer within 5 s")
    shown = page_rules.text_of(cast.signed_in(cast.alice()).get("/holdings/rows"))
    assert "TCS" in shown
    assert "stale-read" in shown
    assert "no answer within 5 s" in shown


def test_a_total_is_unknown_while_one_broker_does_not_say_its_part() -> None:
    cast.read(cast.account("Anil One"), "HOLDINGS", kept(value="100.00", pnl="-2.00"))
    cast.read(cast.account("Bina Two"), "HOLDINGS", kept(value="50.00"))
    totals = holdings_page().totals
    assert (totals.value, totals.pnl) == (Decimal(150), None)


def test_one_account_is_shown_alone() -> None:
    anil, bina = cast.account("Anil One"), cast.account("Bina Two")
    for one, symbol in ((anil, "TCS"), (bina, "INFY")):
        cast.read(one, "HOLDINGS", kept(rows=[{"exchange": "NSE", "symbol": symbol, "product": "CNC", "units": 1}]))
    shown = page_rules.text_of(cast.signed_in(cast.alice()).get(f"/holdings/rows?account={bina.pk}"))
    assert "INFY" in shown
    assert "TCS" not in shown


def test_not_read_and_nothing_held_are_two_sayings() -> None:
    anil = cast.account()
    assert "Not read yet" in page_rules.text_of(cast.signed_in(cast.alice()).get("/holdings"))
    cast.read(anil, "HOLDINGS", kept())
    assert "report none" in page_rules.text_of(cast.signed_in(cast.alice()).get("/holdings"))


def test_a_broker_is_asked_again_after_a_quarter_of_an_hour_and_not_before(now: clock.FrozenClock) -> None:
    anil = cast.account()
    assert holdings.due() == [anil.pk]
    cast.read(anil, "HOLDINGS", kept(), ago_s=0)
    now.advance(15 * 60 - 1)
    assert holdings.due() == []
    now.advance(1)
    assert holdings.due() == [anil.pk]


def test_books_of_the_other_world_are_a_failed_reading(world: World) -> None:
    anil = member(world, 1, "Anil One")
    Account.objects.filter(pk=anil.pk).update(mode="LIVE")
    with behind(world):
        tasks.holdings(anil.pk)
    read = BrokerRead.objects.get(account=anil, kind="HOLDINGS")
    assert read.started_at is None
    assert "marked LIVE" in read.error


def test_the_number_of_queries_does_not_depend_on_the_number_of_accounts() -> None:
    for number in range(5):
        one = cast.account(f"Account {number}")
        cast.read(one, "HOLDINGS", kept(rows=[{"exchange": "NSE", "symbol": "TCS", "product": "CNC", "units": 1}] * 10))
    with CaptureQueriesContext(connection) as asked:
        assert len(holdings_page().rows) == 50
    assert len(asked) == 3
