"""Asking for exits: which books, which legs of them, with which numbers; and asking again until they are flat."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from algomirror.kernel.money import to_paisa
from algomirror.ops import alarms, journal, push
from marketdata.domain.quotes import Quote
from risk.domain import sentences
from risk.domain.guards import Policy, Rule, reason_of
from risk.models import RiskEvent
from risk.selectors import OpenBook, OpenRun
from trading.models import Book, ExitGoal
from trading.services import flatten, wake

log = logging.getLogger(__name__)

Targets = Mapping[int, Mapping[str, int]]


def targets_of(run: OpenRun, policy: Policy, books: Iterable[OpenBook]) -> dict[int, dict[str, int]]:
    """Books that are left in part only, and what of them shall be flat. A book that is not named is left whole."""
    if policy.leg is None and not policy.expiry:
        return {}
    found: dict[int, dict[str, int]] = {}
    for book in books:
        wanted = _legs_to_leave(run, policy, book)
        leaving = {p.target: 0 for p in book.positions if p.leg in wanted and p.units}
        staying = [p for p in book.positions if p.units and p.target not in leaving]
        if leaving and (staying or policy.leg is not None):
            found[book.book_id] = leaving
    return found


def _legs_to_leave(run: OpenRun, policy: Policy, book: OpenBook) -> set[int]:
    planned = [leg for leg in run.structure.legs if leg.book == book.book_id]
    if policy.expiry:
        wanted = {leg.leg for leg in planned if leg.expiry == policy.expiry}
    else:
        wanted = {policy.leg or 0}
    # A hedge leaves with the shorts it covers; the exit routine closes those first.
    return wanted | {short for leg in planned if leg.leg in wanted for short in leg.covers}


def numbers_used(
    run: OpenRun,
    book_id: int | None,
    value: Decimal | None,
    level: Decimal | None,
    quotes: Mapping[str, Quote],
    now: datetime,
) -> dict[str, Any]:
    """Everything a person needs to recompute the decision: marks with source and age, units and cost."""
    legs = [
        {
            "book": book.book_id,
            "key": position.key,
            "units": position.units,
            "open_value": position.open_value,
            "realised": position.realised,
            "mark": quote.deciding_price if quote else None,
            "source": quote.source.value if quote else None,
            "age_ms": round(quote.age_s(now) * 1000) if quote else None,
        }
        for book in run.books
        if book_id is None or book.book_id == book_id
        for position in book.positions
        for quote in [quotes.get(position.key)]
    ]
    numbers: dict[str, Any] = {"level": level, "legs": legs}
    if value is not None:
        numbers["value"] = to_paisa(value)
    index = quotes.get(run.structure.underlying)
    if index is not None:
        numbers["underlying"] = {"key": index.key, "price": index.deciding_price, "age_ms": round(index.age_s(now) * 1000)}
    return numbers


def ask_to_leave(
    books: list[OpenBook],
    *,
    reason: str,
    asked_by: str,
    why: str,
    numbers: dict[str, Any],
    targets: Targets | None = None,
) -> list[int]:
    """Ask for the goals of these books, in the caller's transaction; ids of the goals that now stand.

    A book that cannot be asked rings and holds up no other: what was decided is asserted again at every sweep.
    """
    part = targets or {}

    def ask(book: OpenBook) -> ExitGoal | None:
        leave = part.get(book.book_id)
        return flatten.request(
            book.book_id, reason=reason, asked_by=asked_by, why=why, numbers=journal.plain(numbers), targets=leave
        )

    try:
        with transaction.atomic():
            goals = [ask(book) for book in books]
    except Exception:  # noqa: BLE001 - told below, of the book it is
        goals = [_ask_alone(ask, book) for book in books]
    return [goal.pk for goal in goals if goal is not None]


def _ask_alone(ask: Callable[[OpenBook], ExitGoal | None], book: OpenBook) -> ExitGoal | None:
    try:
        with transaction.atomic():
            return ask(book)
    except Exception as error:  # noqa: BLE001 - logged and rung there
        not_asked(book.book_id, book.account_id, error)
        return None


def not_asked(book_id: int, account_id: int, error: Exception) -> None:
    """Tell a person. To be called where the error is handled."""
    log.exception("exit not asked book=%s", book_id)
    run_id = Book.objects.filter(pk=book_id).values_list("run_id", flat=True).first()
    text = f"Run {run_id}: its book {book_id} cannot be asked to leave: {type(error).__name__}: {error}"
    alarms.ring("EXIT_NOT_ASKED", text, key=f"book:{book_id}", run_id=run_id, account_id=account_id)


def announce(run_id: int, account_ids: list[int]) -> None:
    """After commit: put the order workers to work and tell the browsers to read again."""

    def tell() -> None:
        if account_ids:
            wake.wake(sorted(set(account_ids)))
        push.push(f"run:{run_id}", "changed")
        push.push("risk", "changed")

    transaction.on_commit(tell)


def reassert(runs: Iterable[OpenRun]) -> list[int]:
    """Every exit that was decided stands until its books are flat: what should be leaving without a goal is asked again.

    Ids of goals this call had to ask for; normally none, because trip and goal are one transaction.
    """
    live = {run.run_id: run for run in runs if run.books_in(None)}
    decided = list(
        RiskEvent.objects.filter(run_id__in=live, action="EXIT")
        .order_by("id")
        .values_list("id", "run_id", "book_id", "kind", "targets")
    )
    if not decided:
        return []
    owned = [book.book_id for run in live.values() for book in run.books]
    working = set(ExitGoal.objects.filter(book_id__in=owned).exclude(state=ExitGoal.State.DONE).values_list("book_id", flat=True))
    asked: list[int] = []
    for event_id, run_id, book_id, kind, targets in decided:
        run = live[run_id]
        part = {int(book): leave for book, leave in targets.items()}
        without = [book for book in run.books_in(book_id) if book.book_id not in working and _still_owns(book, part)]
        if not without:
            continue
        reason = reason_of(Rule(kind)) if kind in Rule.__members__ else kind
        why = f"{sentences.RULE_NAMES.get(kind, kind)} decided earlier (event {event_id}); not flat yet."
        for book in without:
            asked += _ask_again(run_id, book, reason=reason, why=why, event_id=event_id, targets=part)
        working.update(book.book_id for book in without)
    return asked


def _ask_again(run_id: int, book: OpenBook, *, reason: str, why: str, event_id: int, targets: Targets) -> list[int]:
    """In a transaction of its own. A book that cannot be asked rings, holds up no other, and comes again at the next sweep."""
    try:
        with transaction.atomic():
            goals = ask_to_leave(
                [book], reason=reason, asked_by="engine:sweep", why=why, numbers={"event": event_id}, targets=targets
            )
            if goals:
                announce(run_id, [book.account_id])
    except Exception as error:  # noqa: BLE001 - logged and rung there
        not_asked(book.book_id, book.account_id, error)
        return []
    return goals


def _still_owns(book: OpenBook, part: Targets) -> bool:
    """A book left whole is asked again while it lives; one left in part while one of those legs is open."""
    leave = part.get(book.book_id)
    if leave is None:
        return True
    return any(abs(p.units) > leave.get(p.target, abs(p.units)) for p in book.positions)
