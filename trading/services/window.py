"""Ending the entry of a run before its time: what was not sent is not, what rests is cancelled, what filled stays."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F

from algomirror.kernel import clock
from algomirror.ops import journal
from trading.models import Book
from trading.services import wake


def close(run_id: int, *, by: str, why: str) -> int:
    """How many of its books were still entering. The workers of their accounts do the rest, and nothing opens it again."""
    now = clock.now()
    with transaction.atomic():
        books = list(Book.objects.filter(run_id=run_id, state=Book.State.OPEN, entry_until__gt=now))
        closed = [book for book in books if _close(book)]
        if closed:
            journal.record("entries.stopped", actor=by, why=why, run_id=run_id, books=[book.pk for book in closed])
            wake.wake({book.account_id for book in closed})
    return len(closed)


def _close(book: Book) -> bool:
    still = Book.objects.filter(pk=book.pk, state=Book.State.OPEN, entry_until=book.entry_until)
    return bool(still.update(entry_until=clock.now(), version=F("version") + 1))
