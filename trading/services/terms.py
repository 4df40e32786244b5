"""The only writer of an order's units, price and trigger once its row stands: what a modify asked, and what it came to."""

from __future__ import annotations

from django.db import models, transaction

from algomirror.kernel import clock
from trading.domain.changes import CHANGEABLE, Change, Terms
from trading.domain.news import Modified, Unmodified
from trading.domain.orders import CHANGE_IN_DOUBT, ChangeState
from trading.models import Book, Order
from trading.services import record, versions

ENGINE = "engine:orders"
C = ChangeState


def of(order: Order) -> Terms:
    return Terms(order.units, order.price, order.trigger_price)


def asked(order: Order) -> Terms:
    """What the last modify asked for; what the order is, where it asked nothing."""
    return Terms(
        order.units if order.asked_units is None else order.asked_units,
        order.price if order.asked_price is None else order.asked_price,
        order.trigger_price if order.asked_trigger is None else order.asked_trigger,
    )


def change_of(order: Order) -> Change | None:
    """The modify that may still take hold of this order, for reconciliation."""
    if order.change_state not in CHANGE_IN_DOUBT or order.change_asked_at is None:
        return None
    return Change(
        asked=asked(order),
        asked_at=order.change_asked_at,
        answered_at=order.change_answered_at,
        refused=bool(order.change_text) and order.change_state == C.ASKED and order.change_answered_at is not None,
        in_doubt=order.change_state == C.ASKED,
    )


def ask(order: Order, wanted: Terms, *, by: str) -> bool:
    """Write down what a modify is about to ask, committed before it leaves. False when the order moved on meanwhile."""
    with transaction.atomic():
        if not Book.objects.filter(pk=order.book_id, state=Book.State.OPEN).update(version=models.F("version") + 1):
            return False
        free = Order.objects.filter(
            pk=order.pk,
            state__in=[s.value for s in CHANGEABLE],
            to_market=False,
            units=order.units,
            price=order.price,
            trigger_price=order.trigger_price,
            filled_units__lt=wanted.units,
        ).exclude(change_state__in=[s.value for s in CHANGE_IN_DOUBT])
        written = free.update(
            change_state=C.ASKED,
            asked_units=wanted.units,
            asked_price=wanted.price,
            asked_trigger=wanted.trigger,
            change_asked_at=clock.now(),
            change_answered_at=None,
            change_text="",
        )
        if written:
            now = of(order)
            record.of_order(
                "order.modify_asked",
                order,
                actor=by,
                units=wanted.units,
                price=wanted.price,
                trigger=wanted.trigger,
                was_units=now.units,
                was_price=now.price,
                was_trigger=now.trigger,
            )
    return bool(written)


def answer(order_id: int, *, text: str = "") -> None:
    """An answer came; with a text it was a plain refusal. The books still decide, only sooner."""
    Order.objects.filter(pk=order_id, change_state=C.ASKED).update(change_answered_at=clock.now(), change_text=text[:300])


def withdraw(order_id: int, *, why: str) -> None:
    """The request never left: nothing was changed."""
    with transaction.atomic():
        order = Order.objects.select_related("book").get(pk=order_id)
        _end(order, C.REFUSED, f"not sent: {why}", kind="order.unmodified")


def take(order: Order, found: Modified) -> bool:
    """The books prove it: the order is now what was asked. Inside the caller's transaction."""
    was, now = of(order), found.terms
    versions.bump(order.book_id)
    taken = Order.objects.filter(pk=order.pk, change_state=order.change_state, change_asked_at=order.change_asked_at).update(
        change_state=C.DONE, change_text=found.why[:300], units=now.units, price=now.price, trigger_price=now.trigger
    )
    if not taken:
        return False
    order.units, order.price, order.trigger_price, order.change_state = now.units, now.price, now.trigger, C.DONE
    record.of_order(
        "order.modified",
        order,
        actor=ENGINE,
        why=found.why,
        late=found.late,
        units=now.units,
        price=now.price,
        trigger=now.trigger,
        was_units=was.units,
        was_price=was.price,
        was_trigger=was.trigger,
    )
    if found.late:
        record.ring_order("LATE_MODIFY", f"a change that was given up came true: {now.units} at {now.price}", order)
    return True


def keep(order: Order, found: Unmodified) -> bool:
    """The books do not show the change. Inside the caller's transaction."""
    words = order.change_text if found.sure and order.change_text else found.why
    return _end(order, C.REFUSED if found.sure else C.UNSURE, words, kind="order.unmodified")


def _end(order: Order, to: ChangeState, why: str, *, kind: str) -> bool:
    versions.bump(order.book_id)
    ended = Order.objects.filter(pk=order.pk, change_state=C.ASKED, change_asked_at=order.change_asked_at).update(
        change_state=to, change_text=why[:300]
    )
    if ended:
        order.change_state, order.change_text = to, why[:300]
        record.of_order(kind, order, actor=ENGINE, why=why, sure=to is C.REFUSED)
        if to is C.UNSURE:
            record.ring_order("ORDER_CHANGE_UNSURE", "nothing was seen of its change, which may still come true", order)
    return bool(ended)
