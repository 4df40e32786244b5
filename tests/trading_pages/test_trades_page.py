"""What was filled, at which price, and what it cost against the decision."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import cast, page_rules
from trading.pages import trades as page
from trading.pages.trades import Wish, slippage


@pytest.mark.parametrize(
    ("action", "value", "expected"),
    [("SELL", "6760", "-65"), ("SELL", "6890", "65"), ("BUY", "6890", "-65"), ("BUY", "6760", "65")],
)
def test_slippage_is_minus_when_worse_for_buyer_and_seller_alike(action: str, value: str, expected: str) -> None:
    assert slippage(action, 65, Decimal(value), Decimal("105")) == Decimal(expected)


def test_slippage_against_no_price_is_unknown() -> None:
    assert slippage("BUY", 65, Decimal(100), None) is None


def test_a_fill_is_shown_with_its_value_and_what_it_slipped() -> None:
    cast.position(cast.book(cast.account(), cast.run()), price="104.00")
    shown = page_rules.text_of(cast.signed_in(cast.alice()).get("/trades"))
    assert "₹6,760.00" in shown
    assert "−₹65.00" in shown
    assert "Iron condor" in shown


def test_bought_and_sold_are_summed_apart() -> None:
    condor = cast.book(cast.account(), cast.run())
    cast.position(condor, price="100.00")
    cast.position(condor, symbol=cast.PUT, leg=2, action="BUY", price="10.00")
    found = page.trades_page(Wish())
    assert (found.sold, found.bought) == (Decimal(6500), Decimal(650))


def test_trades_of_orders_that_nobody_here_sent_are_shown_apart() -> None:
    anil = cast.account()
    ours = cast.order(cast.book(anil, cast.run()))
    cast.fill(ours, price="104.00")
    row = {"exchange": "NFO", "symbol": cast.PUT, "action": "BUY", "product": "NRML", "units": 65, "price": "80.05"}
    cast.read(
        anil,
        "TRADES",
        [
            {**row, "broker_order_id": "OUT1", "traded_at": "2026-11-20T10:12:13"},
            {**row, "broker_order_id": ours.broker_order_id},
        ],
    )
    found = page.trades_page(Wish())
    assert [(r.broker_order_id, r.value, r.name) for r in found.outside] == [("OUT1", Decimal("5203.25"), "10:12:13")]


def test_a_trade_book_of_yesterday_says_nothing_about_today() -> None:
    anil = cast.account()
    row = {"exchange": "NFO", "symbol": cast.PUT, "action": "BUY", "product": "NRML", "units": 65, "price": "80.05"}
    cast.read(anil, "TRADES", [{**row, "broker_order_id": "OUT1"}], ago_s=86_400)
    assert page.trades_page(Wish()).outside == []


def test_the_number_of_queries_does_not_grow_with_fills() -> None:
    anil = cast.account()
    cast.position(cast.book(anil, cast.run()))

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            page.trades_page(Wish())
        return len(seen)

    few = queries()
    for place in range(4):
        cast.position(cast.book(anil, cast.run(f"run {place}")))
    assert queries() == few <= 6
