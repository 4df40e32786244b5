"""To the market: a resting order is cancelled, its end proven by the books, and exactly what is left sent marketable.

The wish is a mark on the row, so it survives a crash at any step: while the order works the cancel is asked again, and
once it has ended trading.services.enter asks the remainder like that of any order that follows its price. Any other
cancel, an exit of the instrument, and a remainder that nobody can prove in time take the wish back.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction

from algomirror.kernel import clock
from algomirror.kernel.errors import Conflict, Refused
from algomirror.ops import hooks
from trading.domain.changes import CHANGEABLE, why_fixed
from trading.domain.orders import OrderState
from trading.models import Book, Order
from trading.services import apply, cancel, record, versions

ENGINE = "engine:entries"
# A cancel that did not leave, or had no effect, is asked again no faster.
PRESS_PAUSE = timedelta(seconds=1)
WHY = "to the market"


def request(order_id: int, *, by: str) -> Order:
    """Ask that what is left of a resting order go out at the market. Returns the order as it stands. Outside any transaction.

    Asked twice it is one wish. Raises Refused, or Denied by the gate: what goes out is an entry like any other.
    """
    order = Order.objects.select_related("book__run", "account").filter(pk=order_id).first()
    if order is None:
        raise Refused("There is no such order.", fields={"order": "unknown"})
    if order.to_market:
        return order
    if why := why_fixed(order, order.book.state):
        raise Refused(f"{order.symbol} does not go to the market: {why}.", fields={"order": why})
    hooks.call("entry_gate", order)
    if not cancel.request(order.pk, asked_by=by, why=WHY, follow=True, to_market=True):
        raise Conflict(f"{order.symbol} moved on meanwhile: look again.")
    apply.after(order.book_id)
    return Order.objects.select_related("book__run", "account").get(pk=order_id)


def press(order: Order) -> None:
    """A cancel on the way to the market that had no effect is asked again."""
    asked = order.cancel_asked_at
    if OrderState(order.state) in CHANGEABLE and (asked is None or clock.now() - asked >= PRESS_PAUSE):
        cancel.request(order.pk, asked_by=ENGINE, why=WHY, follow=True, to_market=True)


def give_up(newest: Iterable[Order], patience: timedelta) -> None:
    """What ended, and could not be asked again in time, is left to a person; `newest` attempts of their slices."""
    now = clock.now()
    for order in newest:
        waits = order.state == OrderState.CANCELED and order.follows_price and order.finished_at is not None
        if not waits or not order.finished_at or now - order.finished_at < patience or not order.remaining_units:
            continue
        with transaction.atomic():
            versions.bump(order.book_id)
            ended = Order.objects.filter(pk=order.pk, follows_price=True).update(follows_price=False, to_market=False)
            if ended and order.to_market:
                why = "no fresh price, or the broker's position did not agree, in time"
                record.of_order("order.not_to_market", order, actor=ENGINE, why=why, units=order.remaining_units)
                words = f"{order.remaining_units} units were cancelled on the way to the market and not sent again: {why}"
                record.ring_order("ORDER_NOT_TO_MARKET", words, order)
        order.follows_price = order.to_market = False


def waiting(account_id: int | None = None) -> set[int]:
    """Accounts where something ended a moment ago and waits to be asked again."""
    recent = Order.objects.filter(
        state=OrderState.CANCELED, follows_price=True, finished_at__gt=clock.now() - timedelta(minutes=1)
    ).filter(book__state__in=[Book.State.OPEN, Book.State.REDUCING])
    if account_id is not None:
        recent = recent.filter(account_id=account_id)
    return set(recent.order_by().values_list("account_id", flat=True))
