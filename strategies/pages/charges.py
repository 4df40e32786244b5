"""What runs cost in charges, from their filled orders and the rates of their days."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from algomirror.kernel.money import ZERO
from risk.services import margins
from trading.domain.charges import charges
from trading.models import Order


def run_charges(run_ids: Sequence[int]) -> dict[int, Decimal | None]:
    """Rupees by run, two queries for any number of runs; None where the rate of a day or exchange is missing."""
    book = margins.RateBook()
    totals: dict[int, Decimal | None] = dict.fromkeys(run_ids, ZERO)
    rows = Order.objects.filter(book__run__in=run_ids, filled_units__gt=0).values_list(
        "book__run_id", "exchange", "symbol", "action", "filled_value", "trading_day", "account__brokerage_per_order"
    )
    for run_id, exchange, symbol, action, value, day, brokerage in rows:
        rates = book.on(exchange, symbol.endswith("FUT"), day)
        so_far = totals[run_id]
        if rates is None or so_far is None:
            totals[run_id] = None
            continue
        side = "BUY" if action == "BUY" else "SELL"
        totals[run_id] = so_far + charges(side, value, orders=1, brokerage_per_order=brokerage, rates=rates).total  # type: ignore[arg-type]
    return totals
