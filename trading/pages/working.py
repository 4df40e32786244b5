"""Orders by hand that still work or wait: what stands below the ticket."""

from __future__ import annotations

from trading.models import Book, Order
from trading.pages.orders import OPEN, OrderRow, row_of

SHOWN_AT_MOST = 100


def by_hand() -> list[OrderRow]:
    """One query."""
    found = Order.objects.filter(book__kind=Book.Kind.TICKET, state__in=OPEN)
    return [row_of(order) for order in found.select_related("account", "book__run", "broker_row")[:SHOWN_AT_MOST]]
