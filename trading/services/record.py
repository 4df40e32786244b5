"""Journal and alarms of a book and of an order, so that every row names run, account, book and order alike."""

from __future__ import annotations

from typing import Any

from algomirror.ops import alarms, journal
from trading.models import Book, Order


def of_book(kind: str, book: Book, *, actor: str, **numbers: Any) -> None:
    journal.record(kind, actor=actor, run_id=book.run_id, account_id=book.account_id, book_id=book.pk, **numbers)


def of_order(kind: str, order: Order, *, actor: str, **numbers: Any) -> None:
    of_book(kind, order.book, actor=actor, subject=order.client_order_id, order_id=order.pk, **numbers)


def ring_book(kind: str, text: str, book: Book, *, key: object = "") -> None:
    alarms.ring(kind, text, key=str(key or book.pk), run_id=book.run_id, account_id=book.account_id)


def ring_order(kind: str, text: str, order: Order) -> None:
    ring_book(kind, f"{order}: {text}", order.book, key=order.pk)
