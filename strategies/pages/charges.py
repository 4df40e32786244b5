"""What runs cost, from their filled orders: charges by the rates of their days, and slippage."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from algomirror.kernel.money import ZERO
from risk.services import margins
from trading.domain.charges import Rates, charges
from trading.domain.prices import is_future
from trading.models import Fill, Order
from trading.pages.trades import slippage
from trading.services.expire import PRICE_TYPE as EXPIRY


def run_charges(run_ids: Sequence[int]) -> dict[int, Decimal | None]:
    """Rupees by run, two queries for any number of runs; None where the rate of a day or exchange is missing.

    What somebody else ordered costs here nothing that we know of; what expired pays the tax on exercise only.
    """
    book = margins.RateBook()
    totals: dict[int, Decimal | None] = dict.fromkeys(run_ids, ZERO)
    ours = Order.objects.filter(book__run__in=run_ids, filled_units__gt=0).exclude(fills__source=Fill.Source.OUTSIDE)
    rows = ours.values_list(
        "book__run_id",
        "exchange",
        "symbol",
        "action",
        "filled_value",
        "trading_day",
        "account__brokerage_per_order",
        "price_type",
    )
    for run_id, exchange, symbol, action, value, day, brokerage, price_type in rows:
        so_far = totals[run_id]
        if price_type == EXPIRY:
            cost = ZERO if is_future(symbol) else book.exercise_tax(exchange, action, value, day)
        else:
            cost = _cost(book.on(exchange, is_future(symbol), day), action, value, brokerage)
        totals[run_id] = None if cost is None or so_far is None else so_far + cost
    return totals


def _cost(rates: Rates | None, action: str, value: Decimal, brokerage: Decimal) -> Decimal | None:
    if rates is None:
        return None
    return charges("BUY" if action == "BUY" else "SELL", value, orders=1, brokerage_per_order=brokerage, rates=rates).total


def run_slippage(run_ids: Sequence[int]) -> dict[int, Decimal]:
    """Rupees by run that fills made or lost against their decided prices, in one query; a run without any is absent."""
    rows = Order.objects.filter(book__run__in=run_ids, filled_units__gt=0, decision_price__isnull=False)
    totals: dict[int, Decimal] = {}
    fields = ("book__run_id", "action", "filled_units", "filled_value", "decision_price")
    for run_id, action, units, value, decision in rows.values_list(*fields):
        totals[run_id] = totals.get(run_id, ZERO) + (slippage(action, units, value, decision) or ZERO)
    return totals
