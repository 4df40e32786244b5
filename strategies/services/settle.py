"""A run's state follows its books. The only writer of Run.state after the start."""

from __future__ import annotations

import logging

from django.db import models, transaction

from algomirror.kernel import clock
from algomirror.ops import alarms, journal, push
from strategies.domain.runs import BookFacts, next_state
from trading.domain.orders import ENTRIES, LIVE_STATES, OrderState
from trading.models import Book, ExitGoal, Fill, Order, Position, Run
from trading.models.books import ExitReason
from trading.services.enter import MAX_REPEGS

log = logging.getLogger(__name__)

ENGINE = "engine:runs"
MAY_FILL = [s.value for s in LIVE_STATES | {OrderState.INITIALIZED}]
ENTRY_PURPOSES = [p.value for p in ENTRIES]


def book_changed(book_id: int) -> None:
    """News of a book: its run may have moved. Called after the book's transaction is committed."""
    run_id = Book.objects.filter(pk=book_id).values_list("run_id", flat=True).first()
    if run_id is None:
        return
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
    run = Run.objects.filter(pk=run_id).exclude(state=Run.State.CLOSED).first()
    if run is None:
        return False
    books = list(Book.objects.filter(run_id=run_id).order_by("id"))
    _lay_to_rest(books)
    target = next_state(run.state, [_facts(book) for book in books])
    if target == run.state:
        return False
    with transaction.atomic():
        return _close(run, books) if target == Run.State.CLOSED else _move(run, target)


def _facts(book: Book) -> BookFacts:
    goals = list(ExitGoal.objects.filter(book=book).exclude(state=ExitGoal.State.DONE).values_list("state", flat=True))
    return BookFacts(
        state=book.state,
        has_entries_pending=book.state == Book.State.OPEN and _entries_pending(book),
        has_open_goal=bool(goals),
        has_stuck_goal=ExitGoal.State.STUCK in goals,
        is_over=book.state == Book.State.FLAT,
    )


def _entries_pending(book: Book) -> bool:
    """An entry may still be sent or fill, or one that follows the price is between two attempts."""
    entries = Order.objects.filter(book=book, purpose__in=ENTRY_PURPOSES)
    if entries.filter(state__in=MAY_FILL).exists():
        return True
    if book.entry_until is not None and clock.now() > book.entry_until:
        return False
    following = entries.filter(
        protected=True, state=OrderState.CANCELED.value, cancel_asked_at__isnull=False, filled_units__lt=models.F("units")
    )
    newest: dict[tuple[int, int], int] = {}
    for leg, slice_no, attempt in entries.values_list("leg", "slice_no", "attempt"):
        newest[leg, slice_no] = max(attempt, newest.get((leg, slice_no), 0))
    return any(
        attempt < MAX_REPEGS and newest[leg, slice_no] == attempt
        for leg, slice_no, attempt in following.values_list("leg", "slice_no", "attempt")
    )


def _lay_to_rest(books: list[Book]) -> None:
    """A book that holds nothing, may fill nothing and is asked nothing is flat, also when no exit was ever needed."""
    for book in books:
        if book.state not in (Book.State.OPEN, Book.State.REDUCING) or not _is_idle(book):
            continue
        done = Book.objects.filter(pk=book.pk, version=book.version, state=book.state).update(
            state=Book.State.FLAT, flat_at=clock.now(), version=models.F("version") + 1
        )
        if done:
            journal.record(
                "book.flat",
                actor=ENGINE,
                why="nothing is open and no order of it can fill",
                moved=(book.state, "FLAT"),
                run_id=book.run_id,
                account_id=book.account_id,
                book_id=book.pk,
            )
            book.state = Book.State.FLAT


def _is_idle(book: Book) -> bool:
    return not (
        Position.objects.filter(book=book).exclude(units=0).exists()
        or Order.objects.filter(book=book, state__in=MAY_FILL).exists()
        or ExitGoal.objects.filter(book=book).exclude(state=ExitGoal.State.DONE).exists()
        or (book.state == Book.State.OPEN and _entries_pending(book))
    )


def _move(run: Run, target: str) -> bool:
    done = Run.objects.filter(pk=run.pk, state=run.state).update(state=target)
    if done:
        journal.record("run", actor=ENGINE, moved=(run.state, target), run_id=run.pk, subject=run.name)
        if target == Run.State.STUCK:
            alarms.ring("RUN_STUCK", f"{run.name} does not move by itself; a person is needed.", run_id=run.pk)
        _tell(run.pk)
    return bool(done)


def _close(run: Run, books: list[Book]) -> bool:
    reason = _why_closed(run.pk, books)
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


def _why_closed(run_id: int, books: list[Book]) -> str:
    """The reason of the first exit that was asked for; without any, nothing was filled or it was closed outside."""
    first = ExitGoal.objects.filter(book__run_id=run_id).order_by("id").values_list("reason", flat=True).first()
    if first is not None:
        return first
    has_fills = Fill.objects.filter(book__in=books).exists()
    return ExitReason.CLOSED_OUTSIDE if has_fills else ExitReason.ENTRY_ABORTED


def _tell(run_id: int) -> None:
    push.push(f"run:{run_id}", "changed")
    push.push("runs", "changed")
