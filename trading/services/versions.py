"""The version of a book: raised in the transaction of every change, claimed by whoever decides from what it read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from django.db.models import F, QuerySet

from algomirror.ops.among import Among
from algomirror.ops.prepared import PreparedUpdate
from trading.models import Book

_bump = PreparedUpdate(lambda book: Book.objects.filter(pk=book), version=F("version") + 1)


@cache
def _claim(states: tuple[str, ...] | None) -> PreparedUpdate:
    def chosen(book: int, version: int) -> QuerySet[Book]:
        mine = Book.objects.filter(pk=book, version=version)
        return mine if states is None else mine.filter(state__in=states)

    return PreparedUpdate(chosen, version=F("version") + 1)


_of = Among("pk", lambda mine: Book.objects.filter(mine).order_by().values_list("pk", "version"))


def are(known: Mapping[int, int]) -> bool:
    """Every one of these books (id: version) still is as it was read."""
    return not known or dict(_of(known)) == known


def bump(book_id: int) -> None:
    """Raise the book's version; takes its row lock on PostgreSQL, so writers of one book go one after another.

    Always before the rows of its orders and goals: two writers that lock in different order would wait for each other.
    """
    _bump(book_id)


def claim(book: Book, states: tuple[str, ...] | None = None) -> bool:
    """Raise the version if it still is what `book` was read with, and the book is in one of these states, if any are named.

    Who decides from a book's facts claims it in the transaction that acts: whatever changed in between makes this fail.
    """
    return bool(_claim(states)(book.pk, book.version))


def raise_from(book_id: int, version: int) -> bool:
    """Raise the version if it is this one: nothing has happened to the book since."""
    return bool(_claim(None)(book_id, version))
