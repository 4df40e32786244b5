"""A run's state follows its books. The only writer of Run.state after the start."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.db import models, transaction

from algomirror.kernel import clock
from algomirror.ops import alarms, journal, push
from algomirror.ops.among import Among
from algomirror.ops.prepared import Prepared
from strategies.domain.runs import BookFacts, next_state
from trading.domain.orders import ENTRIES
from trading.models import Book, ExitGoal, Fill, Order, Position, Run
from trading.models.books import ExitReason
from trading.services import enter, rest
from trading.services.rest import MAY_FILL

log = logging.getLogger(__name__)

ENGINE = "engine:runs"
ENTRY_PURPOSES = [p.value for p in ENTRIES]

_runs_of = Among("pk", lambda mine: Book.objects.filter(mine).exclude(run=None).order_by().values_list("run_id", flat=True))
_open_runs = Prepared(lambda run: Run.objects.filter(pk=run).exclude(state=Run.State.CLOSED))
_books = Prepared(lambda run: Book.objects.filter(run_id=run).order_by("id").values_list("pk", "state"))
_goals = Prepared(
    lambda run: ExitGoal.objects.filter(book__run_id=run).exclude(state="DONE").order_by().values_list("book_id", "state")
)
_entering = Prepared(
    lambda run: (
        Order.objects.filter(book__run_id=run, purpose__in=ENTRY_PURPOSES, state__in=MAY_FILL)
        .order_by()
        .values_list("book_id", flat=True)
        .distinct()
    )
)
_owning = Prepared(
    lambda run: Position.objects.filter(book__run_id=run).exclude(units=0).order_by().values_list("book_id", flat=True).distinct()
)


def books_changed(book_ids: Iterable[int]) -> None:
    """News of books: their runs may have moved. Called after the books' transactions are committed."""
    for run_id in sorted(set(_runs_of(list(book_ids)))):
        try:
            settle(run_id)
        except Exception:
            # We are called from the order path, which must not fail for what the next sweep repairs.
            log.exception("run not settled run=%s", run_id)
        push.push(f"run:{run_id}", "changed")


def sweep() -> int:
    """Settle every open run by its rows alone, so that no lost message leaves one behind. How many moved."""
    moved = 0
    for run_id in list(Run.objects.exclude(state=Run.State.CLOSED).values_list("pk", flat=True)):
        try:
            moved += settle(run_id)
        except Exception:
            log.exception("run not settled run=%s", run_id)
    return moved


def settle(run_id: int) -> bool:
    """Move the run to the state its books prove. False when it stands or another worker was first."""
    run = _open_runs.first(run_id)
    if run is None:
        return False
    facts = _facts(run_id)
    if rest.idle([pk for pk, book in facts.items() if _seems_idle(book)], by=ENGINE):
        facts = _facts(run_id)
    target = next_state(run.state, list(facts.values()))
    if target == run.state:
        return False
    with transaction.atomic():
        return _close(run) if target == Run.State.CLOSED else _move(run, target)


def _seems_idle(book: BookFacts) -> bool:
    return book.state in (Book.State.OPEN, Book.State.REDUCING) and not (
        book.owns_something or book.has_open_goal or book.has_entries_pending
    )


def _facts(run_id: int) -> dict[int, BookFacts]:
    """What the state follows from, for all books of the run (by id) in as many queries as for one."""
    goals: dict[int, set[str]] = {}
    for book_id, state in _goals(run_id):
        goals.setdefault(book_id, set()).add(state)
    entering = set(_entering(run_id)) | enter.following_books(run_id)
    owning = set(_owning(run_id))
    return {
        pk: BookFacts(
            state=state,
            has_entries_pending=state == Book.State.OPEN and pk in entering,
            has_open_goal=pk in goals,
            has_stuck_goal=ExitGoal.State.STUCK in goals.get(pk, ()),
            is_over=state == Book.State.FLAT,
            owns_something=pk in owning,
        )
        for pk, state in _books(run_id)
    }


def _move(run: Run, target: str) -> bool:
    done = Run.objects.filter(pk=run.pk, state=run.state).update(state=target)
    if done:
        journal.record("run", actor=ENGINE, moved=(run.state, target), run_id=run.pk, subject=run.name)
        if target == Run.State.STUCK:
            alarms.ring("RUN_STUCK", f"{run.name} does not move by itself; a person is needed.", run_id=run.pk)
        if (run.state, target) == (Run.State.ENTERING, Run.State.OPEN):
            _say_what_is_lacking(run)
        _tell(run.pk)
    return bool(done)


def _say_what_is_lacking(run: Run) -> None:
    """An entry that is over and is not what was planned: refused, unwound, or cut off by its window."""
    wanted = models.Sum("units", filter=models.Q(attempt=0))
    rows = Order.objects.filter(book__run=run, purpose__in=ENTRY_PURPOSES).values("account__name").order_by("account__name")
    lacking = [
        f"{row['account__name']} {row['got']} of {row['wanted']}"
        for row in rows.annotate(wanted=wanted, got=models.Sum("filled_units"))
        if row["got"] < row["wanted"]
    ]
    if lacking:
        text = f"{run.name} is entered, but not as planned: {', '.join(lacking)} units filled."
        alarms.ring("ENTRY_INCOMPLETE", text[:500], run_id=run.pk, accounts=len(lacking))


def _close(run: Run) -> bool:
    reason = _why_closed(run.pk)
    flat_at = Book.objects.filter(run_id=run.pk).aggregate(last=models.Max("flat_at"))["last"] or clock.now()
    done = Run.objects.filter(pk=run.pk, state=run.state).update(state=Run.State.CLOSED, exit_reason=reason, flat_at=flat_at)
    if done:
        realised = Position.objects.filter(book__run_id=run.pk).aggregate(total=models.Sum("realised"))["total"]
        journal.record(
            "run",
            actor=ENGINE,
            why=f"flat, confirmed by fills: {reason}",
            moved=(run.state, "CLOSED"),
            run_id=run.pk,
            subject=run.name,
            realised=realised,
        )
        _tell(run.pk)
    return bool(done)


def _why_closed(run_id: int) -> str:
    """The reason of the first exit that was asked for; without any it expired, was closed outside, or nothing filled."""
    # One account's aborted entry is not why the others left.
    goals = ExitGoal.objects.filter(book__run_id=run_id).exclude(reason=ExitReason.ENTRY_ABORTED)
    first = goals.order_by("id").values_list("reason", flat=True).first()
    if first is not None:
        return first
    others = Fill.objects.filter(book__run_id=run_id).exclude(book__goals__reason=ExitReason.ENTRY_ABORTED)
    if others.filter(source=Fill.Source.SETTLEMENT).exists():
        return ExitReason.EXPIRY
    return ExitReason.CLOSED_OUTSIDE if others.exists() else ExitReason.ENTRY_ABORTED


def _tell(run_id: int) -> None:
    push.push(f"run:{run_id}", "changed")
    push.push("runs", "changed")
