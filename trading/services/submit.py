"""Row, commit, wire, outcome: the one place where an order leaves the house."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, cast

from django.db import IntegrityError, models, transaction

from accounts.gateway.directory import gateway_for
from accounts.gateway.reports import OrderReply, OrderTicket, PriceType, Product, Verdict
from accounts.models import Account, BrokerRead
from algomirror.kernel import clock
from algomirror.kernel.errors import Denied
from algomirror.ops import hooks
from algomirror.ops.lease import process_name
from trading.domain.changes import Terms
from trading.domain.orders import EXITS, OrderState, Purpose
from trading.models import Book, Order
from trading.services import apply

# Between the commit of SUBMITTED and the wire no more than this may pass, or the sender gives the order back unsent:
# a process that was frozen in between would otherwise send what the rest of the house has already given up.
STALE_SENDER_S = 2.0

Outcome = Literal["sent", "not claimed", "denied", "not sent"]


def send(order_id: int, *, still: Callable[[Order], bool]) -> Outcome:
    """Claim, commit, send, record. Runs outside any transaction; safe to call twice and from several workers.

    `still`: asked inside the claim, with the book locked, whether what decided this order still holds.
    """
    order = Order.objects.select_related("book", "account").get(pk=order_id)
    if order.state != OrderState.INITIALIZED:
        return "not claimed"
    is_exit = Purpose(order.purpose) in EXITS
    if not is_exit:
        try:
            hooks.call("entry_gate", order)
        except Denied as denied:
            with transaction.atomic():
                apply.move(order, OrderState.DENIED, why=f"{denied.code}: {denied.message}")
            apply.after(order.book_id)
            return "denied"
    started = clock.monotonic()
    if not _claim(order, still, is_exit=is_exit):
        return "not claimed"
    if clock.monotonic() - started > STALE_SENDER_S:
        answer = OrderReply(Verdict.NOT_SENT, text="the sender was held up; given back unsent")
    else:
        answer = gateway_for(order.account).place(ticket_of(order), exit=is_exit)
    apply.reply(order.pk, answer)
    if answer.key_refused:
        Account.objects.filter(pk=order.account_id).update(link=Account.Link.REFUSED, last_failure=answer.text[:300])
    return "not sent" if answer.verdict is Verdict.NOT_SENT else "sent"


def _claim(order: Order, still: Callable[[Order], bool], *, is_exit: bool) -> bool:
    """INITIALIZED → SUBMITTED, committed. False when another worker was first, the book forbids it, its reason is gone, or
    an order of the same side of the same instrument is still unacknowledged (the database's own rule)."""
    allowed = (Book.State.OPEN, Book.State.REDUCING, Book.State.EXITING) if is_exit else (Book.State.OPEN,)
    now = clock.now()
    baseline = (
        BrokerRead.objects.filter(account_id=order.account_id, kind=BrokerRead.Kind.ORDERS)
        .values_list("sequence", flat=True)
        .first()
    )
    if not baseline:
        return False  # nothing is traded for an account before its first complete read
    try:
        with transaction.atomic():
            if not Book.objects.filter(pk=order.book_id, state__in=allowed).update(version=models.F("version") + 1):
                return False
            if not still(order):
                return False
            return apply.move(
                order,
                OrderState.SUBMITTED,
                why="",
                sent_at=now,
                baseline_read=baseline,
                missing_reads=0,
                trading_day=clock.trading_day(now),
                sender=process_name(),
                reason="",
            )
    except IntegrityError:
        return False


def ticket_of(order: Order, terms: Terms | None = None) -> OrderTicket:
    """What goes on the wire; `terms` where a modify asks for others than the order's own."""
    return OrderTicket(
        exchange=order.exchange,
        symbol=order.symbol,
        action="BUY" if order.action == "BUY" else "SELL",
        product=cast(Product, order.product),
        price_type=cast(PriceType, order.price_type),
        units=order.units if terms is None else terms.units,
        price=order.price if terms is None else terms.price,
        trigger_price=order.trigger_price if terms is None else terms.trigger,
    )
