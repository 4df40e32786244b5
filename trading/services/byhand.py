"""What a person asks for with one click: cancel this order, close this position, close this book.

A key names the click. The same key again shows what the first one did; it never asks a second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction

from algomirror.kernel.errors import Refused
from algomirror.ops import journal
from algomirror.ops.models import Journal
from trading.domain.orders import Purpose
from trading.models import Book, ExitGoal, Order, Position
from trading.models.books import ExitReason
from trading.services import cancel, flatten, wake

ASKED = "close.asked"


@dataclass(frozen=True, slots=True)
class Asked:
    """`goal` is None when there was nothing to close. `is_repeat`: this click was answered before."""

    goal: ExitGoal | None
    is_repeat: bool = False


def cancel_order(order_id: int, *, by: str) -> Order:
    """Ask for the cancel and return the order as it stands then. Outside any transaction.

    Needs no key: an order is asked once while its cancel is pending, and asking again after that is what the person means.
    """
    if not Order.objects.filter(pk=order_id).exists():
        raise Refused("There is no such order.", fields={"order": "unknown"})
    cancel.request(order_id, asked_by=by, why="cancelled by hand")
    return Order.objects.select_related("account", "book__run").get(pk=order_id)


def close_position(position_id: int, *, by: str, key: str) -> Asked:
    """Ask that one instrument of a book be brought to flat."""
    position = Position.objects.select_related("book").filter(pk=position_id).first()
    if position is None:
        raise Refused("There is no such position.", fields={"target": "unknown"})
    if position.units:
        _refuse_bare_shorts(position)
    target = f"{position.exchange}:{position.symbol}:{position.product}"
    return _close(position.book, {target: 0}, by=by, key=key)


def close_book(book_id: int, *, by: str, key: str) -> Asked:
    """Ask that everything a book holds be brought to flat."""
    book = Book.objects.filter(pk=book_id).first()
    if book is None:
        raise Refused("There is no such book.", fields={"target": "unknown"})
    return _close(book, None, by=by, key=key)


def _close(book: Book, targets: Mapping[str, int] | None, *, by: str, key: str) -> Asked:
    with transaction.atomic():
        before = Journal.objects.filter(kind=ASKED, account_id=book.account_id, subject=key, actor=by).first()
        if before is not None:
            return Asked(ExitGoal.objects.filter(pk=before.numbers.get("goal")).first(), is_repeat=True)
        goal = flatten.request(book.pk, reason=ExitReason.MANUAL, asked_by=by, why="closed by hand", targets=targets)
        journal.record(
            ASKED,
            actor=by,
            why="closed by hand",
            subject=key,
            run_id=book.run_id,
            account_id=book.account_id,
            book_id=book.pk,
            goal=None if goal is None else goal.pk,
            targets=targets,
        )
    wake.wake([book.account_id])
    return Asked(goal)


def _refuse_bare_shorts(position: Position) -> None:
    """A hedge whose shorts are open is not sold: alone it would wait for them until a person is called."""
    if position.units < 0:
        return
    hedge = Order.objects.filter(book_id=position.book_id, purpose=Purpose.HEDGE, attempt=0, leg=position.leg).first()
    if hedge is None:
        return
    shorts = Position.objects.filter(book_id=position.book_id, units__lt=0, leg__in=hedge.hedge_legs)
    if names := sorted(shorts.values_list("symbol", flat=True)):
        raise Refused(f"{position.symbol} covers {', '.join(names)}: close that first, or the whole book.")
