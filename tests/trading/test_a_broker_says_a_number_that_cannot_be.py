"""A server sends a number as its sign for none, far beyond what any price or quantity can be."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.trading.desk import LOT, Desk
from trading.models import BrokerOrder


def _show(desk: Desk, **said: Any) -> None:
    """An order of somebody else at the broker's terminal, with these numbers in the order book."""
    pk = desk.outside("BUY", "PE", LOT, price=5)
    order = desk.broker().orders[pk]
    for name, value in said.items():
        setattr(order, name, value)


@pytest.mark.parametrize("price", ["99999999999", "922337203685.47", "-99999999999"])
def test_a_price_that_cannot_be_is_no_price(live: Desk, price: str) -> None:
    book = live.open(live.line(1, "BUY", "CE"))
    live.run_until(lambda: live.owned(book, "CE") == LOT)
    _show(live, price=Decimal(price))
    assert live.poll() and live.poll()
    assert BrokerOrder.objects.get(order=None).price is None
    live.exit(book)
    assert live.settle() and live.state(book) == "FLAT"


def test_a_book_with_a_quantity_that_cannot_be_is_no_book(live: Desk) -> None:
    live.run(2)
    _show(live, quantity=2**31)
    assert not live.poll()
    assert not BrokerOrder.objects.exists()
