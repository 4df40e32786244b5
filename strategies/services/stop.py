"""Leaving by hand: asks for exit goals and nothing else."""

from __future__ import annotations

from django.db import transaction

from algomirror.kernel.errors import Refused
from algomirror.ops import journal
from risk.services import leaving
from trading.models import Book, Run
from trading.models.books import ExitReason
from trading.services import flatten, wake, window


def exit_run(run_id: int, *, by: str, why: str = "", account_id: int | None = None) -> list[int]:
    """Ask that the run (or its part in one account) be brought to flat. Ids of the goals that stand; a repeat returns the same.

    Works whatever the session, switches or plans say: getting out is never gated.
    """
    with transaction.atomic():
        run = Run.objects.filter(pk=run_id).first()
        if run is None:
            raise Refused("There is no such run.")
        books = Book.objects.filter(run_id=run_id).exclude(state=Book.State.FLAT).order_by("id")
        if account_id is not None:
            books = books.filter(account_id=account_id)
        found = list(books)
        if not found:
            return []
        text = why.strip() or ("exit of one account by hand" if account_id is not None else "exit by hand")
        ids = _ask(found, by=by, why=text)
        journal.record(
            "run.exit_asked", actor=by, why=text, run_id=run_id, account_id=account_id, goals=ids, books=[b.pk for b in found]
        )
        wake.wake({book.account_id for book in found})
    return ids


def _ask(books: list[Book], *, by: str, why: str) -> list[int]:
    """Each book alone: one that cannot be asked rings and keeps no other in. Raises when none could be asked."""
    ids: list[int] = []
    failed: list[Exception] = []
    for book in books:
        try:
            with transaction.atomic():
                goal = flatten.request(book.pk, reason=ExitReason.MANUAL, asked_by=by, why=why)
        except Exception as error:  # noqa: BLE001 - logged and rung there
            leaving.not_asked(book.pk, book.account_id, error)
            failed.append(error)
        else:
            ids += [] if goal is None else [goal.pk]
    if len(failed) == len(books):
        raise failed[0]
    return ids


def stop_entries(run_id: int, *, by: str) -> int:
    """No more entries of this run; what filled stays and stays guarded. How many books were still entering."""
    if not Run.objects.filter(pk=run_id).exists():
        raise Refused("There is no such run.")
    return window.close(run_id, by=by, why="entries stopped by hand")
