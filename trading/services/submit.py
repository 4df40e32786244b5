"""Row, commit, wire, outcome: the one place where orders leave the house."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, cast

from django.db import IntegrityError, transaction

from accounts.gateway.directory import gateway_for
from accounts.gateway.reports import OrderReply, OrderTicket, PriceType, Product, Verdict
from accounts.gateway.underway import UnderWay
from accounts.models import Account, BrokerRead
from algomirror.kernel import clock
from algomirror.kernel.errors import Denied
from algomirror.ops import hooks, journal, scribe
from algomirror.ops.lease import process_name
from algomirror.ops.prepared import Prepared
from trading.domain.changes import Terms
from trading.domain.orders import EXITS, OrderState, Purpose
from trading.models import Book, Order
from trading.services import abreast, answers, apply, poll, together, versions, wake

# Between the decision to send and the wire no more than this may pass, or the sender gives the order back unsent: a process
# that was frozen in between would otherwise send what the rest of the house has already given up.
STALE_SENDER_S = 2.0
_baseline = Prepared(
    lambda account: BrokerRead.objects.filter(account_id=account, kind=BrokerRead.Kind.ORDERS).values_list("sequence", flat=True)
)
ADDING = (Book.State.OPEN,)
REDUCING = (Book.State.OPEN, Book.State.REDUCING, Book.State.EXITING)


def entries(book: Book, orders: Sequence[Order]) -> bool:
    """Claim, commit, send, record these entries of one book, side by side. Outside any transaction; from several workers.

    `book`, with its version, was read before whatever decided these orders: if anything has happened to the book since,
    nothing is sent. False when nothing was.
    """
    if not orders or _denied(orders):
        return False
    since = clock.monotonic()
    fields = as_sent(orders[0].account_id)
    if fields is None:
        return False
    sending = sending_of(orders, since=since)
    return _claim(book, orders, fields, then=sending.begin) and bool(wire(orders, sending))


def _denied(orders: Sequence[Order]) -> bool:
    """The gate's last look, once for each exchange; an order that it denies is at its end."""
    denied = False
    verdicts: dict[str, Denied | None] = {}
    for order in orders:
        if order.exchange not in verdicts or not order.permit:
            verdicts[order.exchange] = _verdict(order)
        if (found := verdicts[order.exchange]) is not None:
            with transaction.atomic():
                apply.move(order, OrderState.DENIED, why=f"{found.code}: {found.message}")
            apply.after(order.book_id)
            denied = True
    return denied


def _verdict(order: Order) -> Denied | None:
    try:
        hooks.call("entry_gate", order)
    except Denied as denied:
        return denied
    return None


def as_sent(account_id: int) -> dict[str, Any] | None:
    """What an order's row says from the moment it may be on the wire; None before the account's first complete read."""
    baseline = _baseline.first(account_id)
    if not baseline:
        return None
    now = clock.now()
    return {
        "sent_at": now,
        "baseline_read": baseline,
        "missing_reads": 0,
        "trading_day": clock.trading_day(now),
        "sender": process_name(),
        "reason": "",
    }


def _claim(book: Book, orders: Sequence[Order], fields: dict[str, Any], *, then: Callable[[], None]) -> bool:
    """INITIALIZED → SUBMITTED for all of them, committed, and `then`. False when another worker was first, the book has moved
    on, or an order of the same side of the same instrument is still unacknowledged (the database's own rule)."""

    def claim() -> bool:
        if not versions.claim(book, ADDING):
            return False
        with journal.together(), together.written():
            moved = all(apply.move(order, OrderState.SUBMITTED, why="", is_claimed=True, **fields) for order in orders)
        if moved:
            # Who has to wait for a seat meanwhile lets nothing wait for that.
            transaction.on_commit(then)
        else:
            transaction.set_rollback(True)
        return moved

    try:
        return scribe.write(claim)
    except IntegrityError:
        return False


def sending_of(orders: Sequence[Order], *, since: float) -> abreast.Calls[OrderReply]:
    """The calls that place these orders of one book, side by side; once all have answered, the books are asked.

    `since`: monotonic seconds when it was decided to send.
    """
    account = orders[0].account
    gateway = gateway_for(account)
    is_exit = Purpose(orders[0].purpose) in EXITS
    abreast.expect(account.pk, "orders", len(orders), exit=is_exit)
    until = clock.now() + timedelta(seconds=STALE_SENDER_S)

    def is_stale() -> bool:
        # While the host sleeps, only the clock on the wall goes on.
        return clock.monotonic() - since > STALE_SENDER_S or clock.now() > until

    def place(order: Order) -> OrderReply:
        if is_stale():
            return OrderReply(Verdict.NOT_SENT, text="the sender was held up; given back unsent")
        return gateway.place(ticket_of(order), exit=is_exit)

    def start(order: Order) -> UnderWay[OrderReply] | None:
        return None if is_stale() else gateway.start_placing(ticket_of(order), exit=is_exit)

    return abreast.Calls(
        [abreast.Call(partial(place, order), partial(start, order)) for order in orders],
        lastly=lambda: poll.ask_ahead(account.pk, gateway, positions=is_exit),
    )


def wire(orders: Sequence[Order], sending: abreast.Calls[OrderReply]) -> dict[int, Verdict]:
    """Send committed orders of one book; write each answer down as it comes. Verdicts by order id."""
    verdicts: dict[int, Verdict] = {}
    # Their claim raised it by one.
    version: int | None = orders[0].book.version + 1
    for some in sending.answers(meanwhile=wake.tell):
        said = {orders[n].pk: answer for n, answer in some}
        is_same = answers.replies(orders, said, version=version)
        version = version + 1 if version is not None and is_same else None
        verdicts |= {pk: answer.verdict for pk, answer in said.items()}
        for refused in (answer for answer in said.values() if answer.key_refused):
            Account.objects.filter(pk=orders[0].account_id).update(link=Account.Link.REFUSED, last_failure=refused.text[:300])
    return verdicts


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
