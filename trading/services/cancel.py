"""Cancelling one order: ask, then let the books say what became of it."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q

from accounts.gateway.directory import gateway_for
from algomirror.kernel import clock
from algomirror.ops import journal
from trading.domain.orders import EXITS, UNACKNOWLEDGED, OrderState, Purpose
from trading.models import Order
from trading.services import answers, apply, record, wake

MOST_COUNTED = 1000
CANCELLABLE = (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)
IN_DOUBT = tuple(sorted(UNACKNOWLEDGED))


def request(order_id: int, *, asked_by: str, why: str, follow: bool = False, to_market: bool = False) -> bool:
    """Send a cancel for a working order; an order that was never sent is denied instead, and one that the broker has not named
    yet is cancelled as soon as it has.

    True when this call did something. Runs outside any transaction. The order stays PENDING_CANCEL until the order book
    shows its end, or shows it still working after a while. `follow`: the remainder shall be asked again at a new price,
    `to_market` (with it): of an order that rested so far; any other cancel, also one that comes second, ends that.
    """
    order = _get(order_id)
    if order.state in IN_DOUBT and not follow:
        if order.cancel_wanted or _want(order, asked_by=asked_by, why=why):
            return not order.cancel_wanted
        # It was answered at this moment.
        order = _get(order_id)
    state = OrderState(order.state)
    if state is OrderState.INITIALIZED:
        with transaction.atomic():
            denied = apply.move(order, OrderState.DENIED, why=why, actor=asked_by)
        apply.after(order.book_id)
        return denied
    if state not in CANCELLABLE or not order.broker_order_id:
        return not follow and _end_following(order)
    now = clock.now()
    with transaction.atomic():
        asked = apply.move(
            order,
            OrderState.PENDING_CANCEL,
            why=why,
            actor=asked_by,
            cancel_asked_at=now,
            cancel_wanted=False,
            cancels=min(order.cancels + 1, MOST_COUNTED),
            follows_price=follow,
            to_market=to_market,
        )
    if not asked:
        return not follow and _end_following(order)
    # An entry's cancel on the way to flat is as urgent as the exit behind it.
    answer = gateway_for(order.account).cancel(
        order.broker_order_id, exit=Purpose(order.purpose) in EXITS or order.book.state != "OPEN"
    )
    answers.cancel_reply(order.pk, answer)
    wake.wake([order.account_id])
    return True


def _get(order_id: int) -> Order:
    return Order.objects.select_related("book", "account").get(pk=order_id)


def _want(order: Order, *, asked_by: str, why: str) -> bool:
    """Remember the wish beside the order: whoever works on its account cancels it once it is known. False when it is."""
    with transaction.atomic():
        still = Order.objects.filter(pk=order.pk, state__in=IN_DOUBT)
        wanted = still.update(cancel_wanted=True, follows_price=False, to_market=False)
        if wanted:
            record.of_order("order.cancel_wanted", order, actor=asked_by, why=why)
    return bool(wanted)


def _end_following(order: Order) -> bool:
    """Already being cancelled to follow the price: let that cancel be the last word."""
    ended = Order.objects.filter(pk=order.pk, follows_price=True).update(follows_price=False, to_market=False)
    if ended:
        apply.after(order.book_id)
    return bool(ended)


def request_for_account(account_id: int, *, asked_by: str, why: str) -> int:
    """Cancel every entry of this account that is not finished, one by one. Returns how many were asked."""
    unfinished = Q(state__in=[OrderState.INITIALIZED, *IN_DOUBT, *CANCELLABLE]) | Q(follows_price=True)
    ids = Order.objects.filter(unfinished, account_id=account_id, purpose__in=["ENTRY", "HEDGE"]).values_list("pk", flat=True)
    asked = sum(request(pk, asked_by=asked_by, why=why) for pk in list(ids))
    if asked:
        journal.record("cancel.all", actor=asked_by, account_id=account_id, why=why, asked=asked)
    return asked
