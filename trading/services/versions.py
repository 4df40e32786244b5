"""The version of a book: raised in the transaction of every change, claimed by whoever decides from what it read."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import F

from trading.models import Book


def bump(book_id: int) -> None:
    """Raise the book's version; takes its row lock on PostgreSQL, so writers of one book go one after another.

    Always before the rows of its orders and goals: two writers that lock in different order would wait for each other.
    """
    Book.objects.filter(pk=book_id).update(version=F("version") + 1)


def claim(book: Book, states: Collection[str] | None = None) -> bool:
    """Raise the version if it still is what `book` was read with, and the book is in one of these states, if any are named.

    Who decides from a book's facts claims it in the transaction that acts: whatever changed in between makes this fail.
    """
    mine = Book.objects.filter(pk=book.pk, version=book.version)
    if states is not None:
        mine = mine.filter(state__in=list(states))
    return bool(mine.update(version=F("version") + 1))
