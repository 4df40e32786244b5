"""A day on which an account's server, or its broker's book, is not what it was in the morning."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.db.models import F

from accounts.models import Account, BrokerRead
from simulator.orders import OrderRequest
from tests.trading.desk import FRIDAY_TEN, LOT, Desk
from trading.models import BrokerOrder
from trading.selectors import account_in_use
from trading.services import cancel, poll


def _round_trip(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.run_until(lambda: desk.owned(book, "CE") == LOT)
    desk.run(2)
    desk.exit(book)
    assert desk.settle()
    assert desk.state(book) == "FLAT"


def _go_live(desk: Desk) -> None:
    """As accounts.services.account.edit_account does it, which allows it when nothing is open."""
    assert account_in_use(desk.accounts[0].pk) == ""
    server, row = desk.world.accounts[0], desk.accounts[0]
    server.analyze, row.mode = not server.analyze, "LIVE"
    Account.objects.filter(pk=row.pk).update(mode=row.mode, config_version=F("config_version") + 1)
    poll.forget(row.pk)


def _an_exit_follows_the_price(desk: Desk) -> None:
    """Its first order rests; it is cancelled, and what is left leaves at another price."""
    book = desk.open(desk.line(1, "BUY", "PE"))
    desk.run_until(lambda: desk.owned(book, "PE") == LOT)
    desk.run(3)
    desk.fault("slow_fill", seconds=600, count=1)
    desk.exit(book)
    desk.run(60)
    assert (desk.state(book), desk.net("PE")) == ("FLAT", 0), (desk.orders(book, exits=True)[0].state, desk.alarms())


def test_an_exit_follows_the_price_on_the_day_of_a_rehearsal(paper: Desk) -> None:
    _round_trip(paper)
    paper.run(40)
    _go_live(paper)
    paper.run(3)
    _an_exit_follows_the_price(paper)


def test_a_resting_entry_is_cancelled_on_the_day_of_a_rehearsal(paper: Desk) -> None:
    _round_trip(paper)
    paper.run(40)
    _go_live(paper)
    paper.run(3)
    book = paper.open(paper.line(1, "BUY", "PE", limit="60"))
    paper.run(3)
    cancel.request(paper.orders(book)[0].pk, asked_by="user:alice", why="no more")
    paper.run(30)
    assert paper.orders(book)[0].state == "CANCELED"


def test_an_order_that_stood_there_before_the_switch_is_not_taken_for_ours(paper: Desk) -> None:
    """Somebody bought at the live terminal this morning; our first live order never arrives."""
    paper.run(2)
    symbol = paper.symbols["PE"]
    request = OrderRequest("NFO", symbol, "BUY", LOT, "MARKET", "NRML", price=Decimal(0), strategy="terminal", origin="terminal")
    paper.world.accounts[0].real.place(request)
    paper.advance(1)
    _go_live(paper)
    book = paper.open(paper.line(1, "BUY", "PE"))
    paper.fault("timeout_before_accept", count=1)
    paper.run(30)
    assert (paper.placed(), paper.owned(book, "PE")) == ([], 0)


@pytest.mark.parametrize("ahead_s", [0, 20])
def test_the_broker_turns_its_day_after_us(live: Desk, ahead_s: int) -> None:
    """At 03:00:15 by our clock the broker still shows yesterday's book; in the morning it does not."""
    _round_trip(live)
    three = FRIDAY_TEN + timedelta(hours=17)
    live.advance((three - live.now()).total_seconds() - 5)
    live.clock.advance(ahead_s)
    live.poll()
    live.advance((FRIDAY_TEN + timedelta(hours=24) - live.now()).total_seconds())
    live.run(3)
    _an_exit_follows_the_price(live)


def test_a_read_that_was_on_its_way_when_the_server_changed_is_dropped(paper: Desk) -> None:
    """It is answered by the old server and would be kept behind the change."""
    _round_trip(paper)
    paper.run(40)

    def meanwhile(account_id: int, endpoint: str) -> None:
        if endpoint == "tradebook":
            paper.side.after_dispatch = None
            with transaction.atomic():
                _go_live(paper)

    paper.side.after_dispatch = meanwhile
    assert not poll.account(paper.accounts[0].pk)
    assert paper.side.after_dispatch is None
    assert not BrokerRead.objects.exclude(kind="FUNDS").exists()
    assert not BrokerOrder.objects.exists()
