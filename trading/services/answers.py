"""What a broker's answer to an order proves, written down through `trading.services.apply`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import IntegrityError, transaction

from accounts.gateway.reports import OrderReply, Verdict
from algomirror.kernel import clock
from algomirror.ops import journal, scribe
from trading.domain.orders import OrderState
from trading.models import Order
from trading.services import apply, halt, together, versions

S = OrderState


def replies(orders: Sequence[Order], answers: Mapping[int, OrderReply], *, version: int | None) -> bool:
    """What the broker's answers to placing some of these orders of one book prove. Its ids are kept before anything else.

    `version`: the book's since the orders were read or written, if that is known; where it still is, they are taken as they
    are. True then, and it is one more now; where anything else has happened to the book they are read again.
    """
    book_id = orders[0].book_id

    def write_down() -> tuple[bool, list[Order]]:
        if version is not None and versions.raise_from(book_id, version):
            known = {order.pk: order for order in orders}
            with journal.together(), together.written():
                return True, [_reply(known[pk], answer) for pk, answer in answers.items()]
        versions.bump(book_id)
        with journal.together():
            return False, [_reply(apply.get(pk), answer) for pk, answer in answers.items()]

    try:
        is_same, answered = scribe.write(write_down)
    except IntegrityError:
        is_same, answered = False, [_reply_alone(book_id, order_id, answer) for order_id, answer in answers.items()]
    for order, answer in zip(answered, answers.values(), strict=True):
        if answer.verdict is Verdict.QUEUED:
            halt.account(order.account_id, why=f"{order}: the server queued the order for a person's approval")
        if answer.mode is not None and answer.mode != order.book.mode:
            halt.account(order.account_id, why=f"{order}: the server acted in {answer.mode}, the account is {order.book.mode}")
    apply.after(book_id)
    return is_same


def _reply_alone(book_id: int, order_id: int, answer: OrderReply) -> Order:
    try:
        with transaction.atomic():
            versions.bump(book_id)
            return _reply(apply.get(order_id), answer)
    except IntegrityError:
        order = apply.get(order_id)
        apply.freeze(book_id, kind="AMBIGUOUS", why=f"{order}: the broker's id {answer.broker_order_id} belongs to another order")
        return order


def _reply(order: Order, answer: OrderReply) -> Order:
    said, known = answer.broker_order_id, order.broker_order_id
    if said and known and known != said:
        why = f"{order}: answered as {said}, but {known} was adopted for it"
        apply.freeze(order.book_id, kind="AMBIGUOUS", why=why)
    # Its name and its move are one statement.
    name = {"broker_order_id": said} if said and not known else {}
    proven = _proven(OrderState(order.state), answer)
    moved = proven is not None and apply.move(order, proven[0], why=proven[1], is_claimed=True, answered_at=clock.now(), **name)
    if name and moved:
        together.own(order)
    elif name:
        # No move was proven, or it was another's; what the broker calls the order is kept all the same.
        apply.claim_row(order, name["broker_order_id"])
    return order


def _proven(state: OrderState, answer: OrderReply) -> tuple[OrderState, str] | None:
    """Where the answer moves an order that stands at `state`, and why; None: nowhere."""
    if state is not S.SUBMITTED:
        # The poll was faster, or the order was given up: the reply may still prove that it exists.
        late = answer.verdict is Verdict.ACCEPTED and state in (S.UNKNOWN, S.LAPSED)
        return (S.ACCEPTED, "the broker's answer came late") if late else None
    match answer.verdict:
        case Verdict.ACCEPTED:
            return S.ACCEPTED, "accepted"
        case Verdict.REFUSED:
            return S.REJECTED, answer.text
        case Verdict.NOT_SENT:
            return S.INITIALIZED, answer.text or "not sent"
        case Verdict.QUEUED:
            return S.QUEUED, answer.text
        case _:
            return S.UNKNOWN, answer.text or "no usable answer"


def cancel_reply(order_id: int, answer: OrderReply) -> None:
    """A cancel's answer decides nothing: the books do. Only a cancel that was never sent is taken back, and asked again: by
    what it follows the price for, or because it is still wanted."""
    if answer.verdict is not Verdict.NOT_SENT:
        return
    with transaction.atomic():
        order = apply.get(order_id)
        if order.state == S.PENDING_CANCEL:
            works = S.PARTIALLY_FILLED if order.filled_units else S.ACCEPTED
            apply.move(order, works, why=f"cancel not sent: {answer.text}", cancel_wanted=not order.follows_price)
