"""A run's book that owns nothing, awaits nothing and was asked nothing is flat, however it came to that."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.db.models import Exists, F, OuterRef

from algomirror.kernel import clock
from trading.domain.orders import UNFINISHED
from trading.models import Book, ExitGoal, Order, Position
from trading.services import enter, record

MAY_FILL = [s.value for s in UNFINISHED]


def idle(book_ids: Collection[int], *, by: str) -> list[Book]:
    """Lay those of these books to rest that are idle, and return them; the caller tells who waits for news of them."""
    if not book_ids:
        return []
    here = OuterRef("pk")
    candidates = Book.objects.filter(
        ~Exists(Position.objects.filter(book=here).exclude(units=0)),
        ~Exists(Order.objects.filter(book=here, state__in=MAY_FILL)),
        ~Exists(ExitGoal.objects.filter(book=here).exclude(state=ExitGoal.State.DONE)),
        pk__in=book_ids,
        kind=Book.Kind.RUN,
        state__in=[Book.State.OPEN, Book.State.REDUCING],
    )
    return [book for book in candidates if not enter.may_try_again(book) and _lay_to_rest(book, by)]


def _lay_to_rest(book: Book, by: str) -> bool:
    with transaction.atomic():
        rested = Book.objects.filter(pk=book.pk, state=book.state, version=book.version).update(
            state=Book.State.FLAT, flat_at=clock.now(), version=F("version") + 1
        )
        if rested:
            why = "nothing owned and nothing on its way"
            record.of_book("book.flat", book, actor=by, moved=(book.state, "FLAT"), why=why)
    return bool(rested)
