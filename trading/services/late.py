"""What fills after it was given up, in a book that goes on: the machine only ever reduces, so what it opened is closed again.

A run's book that was flat is opened and closed by `trading.services.work`; here are the books that nobody had closed whole, or
that stay open when they are flat.
"""

from __future__ import annotations

from trading.domain.orders import EXITS, Purpose
from trading.models import Book, ExitGoal, Order, Position
from trading.services import flatten

ENGINE = "engine:orders"


def filled(order: Order, units: int) -> None:
    """So many `units` of this order traded after it was held for ended. In the transaction that books them."""
    mine = Position.objects.filter(book_id=order.book_id, exchange=order.exchange, symbol=order.symbol, product=order.product)
    position = mine.select_related("book").first()
    direction = 1 if order.action == "BUY" else -1
    if position is None or position.units * direction <= 0 or position.book.state == Book.State.FLAT:
        return
    goal = _exit_wanted(order)
    if goal is None:
        return
    opened = min(units, abs(position.units))
    flatten.request(
        order.book_id,
        reason=goal.reason,
        asked_by=ENGINE,
        why=f"{order} was given up, and filled after all: {opened} units of it are open that nobody wants",
        numbers={"order": order.pk, "units": opened},
        targets={f"{order.exchange}:{order.symbol}:{order.product}": abs(position.units) - opened},
    )


def _exit_wanted(order: Order) -> ExitGoal | None:
    """The exit that this order was sent for; of an entry the whole exit of its book that was asked behind it."""
    if Purpose(order.purpose) in EXITS:
        return order.goal
    behind = ExitGoal.objects.filter(book_id=order.book_id, targets__isnull=True, requested_at__gt=order.created_at)
    return behind.order_by("-id").first()
