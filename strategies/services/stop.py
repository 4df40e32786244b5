"""Leaving by hand: asks for exit goals and nothing else."""

from __future__ import annotations

from django.db import transaction

from algomirror.kernel.errors import Refused
from algomirror.ops import journal
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
        goals = [flatten.request(book.pk, reason=ExitReason.MANUAL, asked_by=by, why=text) for book in found]
        ids = [goal.pk for goal in goals if goal is not None]
        journal.record(
            "run.exit_asked", actor=by, why=text, run_id=run_id, account_id=account_id, goals=ids, books=[b.pk for b in found]
        )
        wake.wake({book.account_id for book in found})
    return ids


def stop_entries(run_id: int, *, by: str) -> int:
    """No more entries of this run; what filled stays and stays guarded. How many books were still entering."""
    if not Run.objects.filter(pk=run_id).exists():
        raise Refused("There is no such run.")
    return window.close(run_id, by=by, why="entries stopped by hand")
