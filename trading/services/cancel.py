"""Cancelling one order: ask, then let the books say what became of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Q

from accounts.gateway.directory import gateway_for
from algomirror.kernel import clock
from algomirror.ops import journal
from trading.domain.orders import EXITS, UNACKNOWLEDGED, OrderState, Purpose
from trading.models import Order
from trading.services import answers, apply, record, wake

log = logging.getLogger(__name__)

MOST_COUNTED = 1000
CANCELLABLE = (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)
IN_DOUBT = tuple(sorted(UNACKNOWLEDGED))
# What is on its way is cancelled as soon as the broker has named it.
UNFINISHED = (OrderState.INITIALIZED, *IN_DOUBT, *CANCELLABLE)


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


def _want(order: Order, *, asked_by: str, why: str, states: Sequence[OrderState] = IN_DOUBT) -> bool:
    """Remember the wish beside the order: whoever works on its account cancels it as soon as it is known. False when it is not
    in one of these states any more."""
    with transaction.atomic():
        still = Order.objects.filter(pk=order.pk, state__in=states)
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


def request_all(order_ids: Sequence[int], *, asked_by: str, why: str) -> tuple[int, dict[int, Exception]]:
    """Cancel several orders, of any accounts, one by one. How many were asked, and which could not be, with the error.

    The wish is written down beside all that work first: the workers of their accounts carry it out meanwhile, so that a server
    that hangs holds up its own account's orders alone.
    """
    working = Order.objects.select_related("book", "account").filter(pk__in=order_ids, state__in=CANCELLABLE)
    with transaction.atomic():
        wanted = [order for order in working if _want(order, asked_by=asked_by, why=why, states=CANCELLABLE)]
        wake.wake({order.account_id for order in wanted})
    asked, failed = {order.pk for order in wanted}, dict[int, Exception]()
    for pk in order_ids:
        try:
            if request(pk, asked_by=asked_by, why=why):
                asked.add(pk)
        except Exception as error:
            log.exception("cannot be cancelled order=%s", pk)
            failed[pk] = error
    return len(asked), failed


def request_for_accounts(account_ids: Sequence[int], *, asked_by: str, why: str) -> int:
    """Cancel every entry of these accounts that is not finished. Returns how many were asked; what could not be is tried again
    by the workers."""
    unfinished = Q(state__in=UNFINISHED) | Q(follows_price=True)
    entries = Order.objects.filter(unfinished, account_id__in=account_ids, purpose__in=["ENTRY", "HEDGE"]).order_by("pk")
    asked, _ = request_all(list(entries.values_list("pk", flat=True)), asked_by=asked_by, why=why)
    if asked:
        account_id = account_ids[0] if len(account_ids) == 1 else None
        journal.record("cancel.all", actor=asked_by, account_id=account_id, why=why, asked=asked, accounts=list(account_ids))
    return asked


def request_for_account(account_id: int, *, asked_by: str, why: str) -> int:
    return request_for_accounts([account_id], asked_by=asked_by, why=why)
