"""Working a book's entries: hedges first, re-pegged a few times, aborted when the hedge does not come."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction

from algomirror.kernel import clock
from algomirror.kernel.ids import client_order_id
from algomirror.kernel.money import Action
from marketdata import quotes
from trading.domain.orders import ENTRIES, OrderState, Purpose
from trading.domain.plan import EntryView, hedge_failed, releasable
from trading.domain.prices import protected_limit, touch
from trading.models import Book, Order
from trading.models.books import ExitReason
from trading.services import apply, cancel, flatten, submit

S = OrderState
MAX_REPEGS = 3
ENTRY_PURPOSES = [p.value for p in ENTRIES]


def drive(book_id: int) -> bool:
    """One pass over the book's entries. True while anything is still to come. Outside any transaction."""
    book = Book.objects.get(pk=book_id)
    if book.state != Book.State.OPEN:
        return False
    orders = _entries(book_id)
    unfinished = [o for o in orders if o.state == S.INITIALIZED or o.is_live]
    if not unfinished and not _repeggable(book, orders):
        return False
    if book.entry_until is not None and clock.now() > book.entry_until:
        return _close_window(unfinished)
    _repeg(book, orders)
    orders = _entries(book_id)
    views = [_view(o) for o in orders]
    if _must_abort(book, orders, views):
        flatten.request(
            book_id,
            reason=ExitReason.ENTRY_ABORTED,
            asked_by="engine:entries",
            why="the hedge did not fill in time or was refused",
        )
        return True
    for order_id in releasable(views):
        submit.send(order_id)
    return True


def _entries(book_id: int) -> list[Order]:
    return list(Order.objects.filter(book_id=book_id, purpose__in=ENTRY_PURPOSES).order_by("id"))


def _view(order: Order) -> EntryView:
    action: Action = "BUY" if order.action == "BUY" else "SELL"
    return EntryView(
        order_id=order.pk,
        purpose=Purpose(order.purpose),
        leg=order.leg,
        action=action,
        state=OrderState(order.state),
        units=order.units,
        filled_units=order.filled_units,
        hedge_legs=tuple(order.hedge_legs),
        instrument=(order.exchange, order.symbol, order.product),
        attempt=order.attempt,
    )


def _close_window(unfinished: list[Order]) -> bool:
    for order in unfinished:
        cancel.request(order.pk, asked_by="engine:entries", why="the entry window is over")
    return bool(unfinished)


def _must_abort(book: Book, orders: list[Order], views: list[EntryView]) -> bool:
    """Shorts are waiting for a hedge that failed or took longer than the book allows."""
    shorts_waiting = any(v.state is S.INITIALIZED and v.purpose is Purpose.ENTRY and v.hedge_legs for v in views)
    if not shorts_waiting:
        return False
    if hedge_failed(views):
        return True
    sent = [o.sent_at for o in orders if o.purpose == Purpose.HEDGE and o.sent_at is not None]
    filled = all(o.filled_units >= o.units for o in orders if o.purpose == Purpose.HEDGE and o.state != S.CANCELED)
    return bool(sent) and not filled and clock.now() - min(sent) > timedelta(seconds=book.hedge_wait_s)


def _repeg(book: Book, orders: list[Order]) -> None:
    """Protected entries that do not fill: cancel after a second; once that is confirmed, ask the remainder at the new touch."""
    now = clock.now()
    for order in orders:
        if not order.protected or order.sent_at is None:
            continue
        waited = now - order.sent_at >= timedelta(seconds=settings.REPEG_S)
        if order.state in (S.ACCEPTED, S.PARTIALLY_FILLED) and waited and order.attempt < MAX_REPEGS:
            cancel.request(order.pk, asked_by="engine:entries", why="unfilled, follow the price")
        elif order.state in (S.ACCEPTED, S.PARTIALLY_FILLED) and waited:
            cancel.request(order.pk, asked_by="engine:entries", why=f"unfilled after {MAX_REPEGS} attempts to follow the price")
    for order in _repeggable(book, orders):
        _again(book, order)


def _repeggable(book: Book, orders: list[Order]) -> list[Order]:
    """Cancelled by us while following the price, with units left and no newer attempt."""
    newest: dict[tuple[int, int], Order] = {}
    for order in orders:
        key = (order.leg, order.slice_no)
        if key not in newest or order.attempt > newest[key].attempt:
            newest[key] = order
    return [
        o
        for o in newest.values()
        if o.protected and o.state == S.CANCELED and o.cancel_asked_at and o.remaining_units and o.attempt < MAX_REPEGS
    ]


def _again(book: Book, order: Order) -> None:
    quote = quotes.fresh([order.key], clock.now()).get(order.key)
    if quote is None:
        return
    action: Action = "BUY" if order.action == "BUY" else "SELL"
    scope = order.client_order_id.split("-a")[0]
    with transaction.atomic():
        fields = {
            f.attname: getattr(order, f.attname)
            for f in Order._meta.concrete_fields
            if f.name
            in [
                "book",
                "account",
                "purpose",
                "leg",
                "slice_no",
                "hedge_legs",
                "exchange",
                "symbol",
                "product",
                "action",
                "lot_units",
                "freeze_units",
                "tick",
                "price_type",
                "trigger_price",
                "protected",
                "decision_price",
                "permit",
            ]
        }
        now = clock.now()
        Order.objects.get_or_create(
            client_order_id=client_order_id(scope, order.account_id, order.leg, order.slice_no, order.attempt + 1),
            defaults={
                **fields,
                "attempt": order.attempt + 1,
                "units": order.remaining_units,
                "price": protected_limit(touch(quote, action), action, order.tick),
                "trading_day": clock.trading_day(now),
                "created_at": now,
            },
        )
        apply.bump(book.pk)
