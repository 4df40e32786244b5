"""What each executed order cost by the rates of its day: brokerage, taxes, fees. One definition for every report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from django.db.models import QuerySet

from risk.services import margins
from trading.domain.charges import Charges, Rates, charges
from trading.models import Order
from trading.services import expire

Instrument = tuple[str, str, str]  # exchange, symbol, product


@dataclass(frozen=True, slots=True)
class OrderCost:
    """Of one order. `cost` None: a rate of its day is missing. `is_exercise`: no order, the tax on what expired in the money."""

    book_id: int
    account_id: int
    day: date
    instrument: Instrument
    cost: Charges | None
    is_exercise: bool = False


def charged(orders: QuerySet[Order]) -> Iterator[OrderCost]:
    """Three queries. Orders that were filled elsewhere cost here nothing that we know of, and are left out."""
    book = margins.RateBook()
    yield from _executed(orders, book)
    yield from _exercised(orders, book)


def _executed(orders: QuerySet[Order], book: margins.RateBook) -> Iterator[OrderCost]:
    rates: dict[tuple[str, bool, date], Rates | None] = {}
    rows = orders.filter(filled_units__gt=0).exclude(broker_order_id="")
    for book_id, account_id, day, exchange, symbol, product, action, value, brokerage in rows.values_list(
        "book_id", "account_id", "trading_day", "exchange", "symbol", "product", "action", "filled_value",
        "account__brokerage_per_order",
    ):  # fmt: skip
        when = (exchange, symbol.endswith("FUT"), day)
        if when not in rates:
            rates[when] = book.on(*when)
        known, side = rates[when], "BUY" if action == "BUY" else "SELL"
        cost = None if known is None else charges(side, value, orders=1, brokerage_per_order=brokerage, rates=known)  # type: ignore[arg-type]
        yield OrderCost(book_id, account_id, day, (exchange, symbol, product), cost)


def _exercised(orders: QuerySet[Order], book: margins.RateBook) -> Iterator[OrderCost]:
    """What expired in the money was no order; its holder pays the tax on exercise."""
    settled = orders.filter(price_type=expire.PRICE_TYPE).exclude(symbol__endswith="FUT")
    for book_id, account_id, day, exchange, symbol, product, action, value in settled.values_list(
        "book_id", "account_id", "trading_day", "exchange", "symbol", "product", "action", "filled_value"
    ):
        tax = book.exercise_tax(exchange, action, value, day)
        cost = None if tax is None else Charges(stt=tax)
        yield OrderCost(book_id, account_id, day, (exchange, symbol, product), cost, is_exercise=True)
