"""The only writer of guard states and risk events, for the sweep and the tick alike.

A trip is one transaction: the guard by compare-and-set, the event, the journal row, the exit goals. Whoever loses the race
for the guard changes nothing; a crash leaves all of it or none of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from algomirror.kernel.money import to_paisa
from algomirror.ops import alarms, journal, push
from marketdata import quotes as store
from marketdata.domain.quotes import Quote
from risk import selectors
from risk.domain import sentences
from risk.domain.guards import GuardView, Snapshot, Stage, Verdict, evaluate
from risk.models import GuardState, RiskEvent
from risk.selectors import Guard, OpenBook, OpenRun
from trading.models import ExitGoal
from trading.services import flatten, wake

log = logging.getLogger(__name__)

NOTED_EVERY_S = 5.0


def evaluate_run(run_id: int, *, quotes: Mapping[str, Quote], now: datetime, seen_by: str) -> list[RiskEvent]:
    """Read the run afresh, look at every guard, commit what tripped. The events this call made; none when another did."""
    run = selectors.open_run(run_id)
    if run is None:
        return []
    seen = selectors.snapshot(run, quotes, now, store.bounds())
    events: list[RiskEvent] = []
    for guard in run.guards:
        try:
            with transaction.atomic():
                event = _look(run, guard, seen, quotes, now, seen_by)
        except Exception:
            # One failing guard must not silence the next.
            log.exception("guard failed run=%s guard=%s", run_id, guard.guard_id)
            text = f"{run.name}: {guard.policy.rule} could not be evaluated"
            alarms.ring("GUARD_FAILED", text, key=str(guard.guard_id), run_id=run_id)
            continue
        if event is not None:
            events.append(event)
    return events


def is_due(run: OpenRun, seen: Snapshot, now: datetime) -> bool:
    """True when a guard would arm or trip, or its last noted value is old: only then is a transaction worth it."""
    for guard in run.guards:
        view, verdict = evaluate(guard.policy, guard.view, seen, now)
        if view.stage is not guard.view.stage or (verdict.is_known and _note_is_old(guard, now)):
            return True
    return False


def _note_is_old(guard: Guard, now: datetime) -> bool:
    return guard.evaluated_at is None or (now - guard.evaluated_at).total_seconds() >= NOTED_EVERY_S


def _look(
    run: OpenRun, guard: Guard, seen: Snapshot, quotes: Mapping[str, Quote], now: datetime, seen_by: str
) -> RiskEvent | None:
    view, verdict = evaluate(guard.policy, guard.view, seen, now)
    if not verdict.is_known:
        return None
    if guard.view.stage is Stage.WAITING and not _arm(run, guard, view, now, seen_by):
        return None
    if verdict.tripped:
        return _trip(run, guard, verdict, quotes, now, seen_by)
    if _note_is_old(guard, now):
        GuardState.objects.filter(pk=guard.guard_id, state=Stage.ARMED.value).update(
            value=view.value, level=view.level, evaluated_at=now, inputs=dict(view.inputs)
        )
    return None


def _arm(run: OpenRun, guard: Guard, view: GuardView, now: datetime, seen_by: str) -> bool:
    won = GuardState.objects.filter(pk=guard.guard_id, state=Stage.WAITING.value).update(
        state=Stage.ARMED.value, armed_at=now, evaluated_at=now, value=view.value, level=view.level
    )
    if won:
        journal.record(
            "guard.armed",
            actor=f"engine:{seen_by}",
            why="first complete mark after the first fill",
            subject=guard.policy.rule.value,
            moved=("WAITING", "ARMED"),
            run_id=run.run_id,
            book_id=guard.policy.book_id,
            level=view.level,
            value=view.value,
        )
    return bool(won)


def _trip(
    run: OpenRun, guard: Guard, verdict: Verdict, quotes: Mapping[str, Quote], now: datetime, seen_by: str
) -> RiskEvent | None:
    policy = guard.policy
    assert verdict.level is not None and verdict.value is not None
    won = GuardState.objects.filter(pk=guard.guard_id, state=Stage.ARMED.value).update(
        state=Stage.TRIPPED.value, tripped_at=now, evaluated_at=now, value=verdict.value, level=verdict.level
    )
    if not won:
        return None
    why = sentences.tripped(policy.rule, value=verdict.value, level=verdict.level, seen_by=seen_by, action=policy.action)
    numbers = numbers_used(run, policy.book_id, verdict.value, verdict.level, quotes, now)
    books = run.books_in(policy.book_id) if policy.action == "EXIT" else []
    goal_ids = ask_to_leave(books, reason=policy.rule.value, asked_by=f"engine:{seen_by}", why=why, numbers=numbers)
    event = RiskEvent.objects.create(
        at=now,
        run_id=run.run_id,
        book_id=policy.book_id,
        account_id=next((b.account_id for b in run.books if b.book_id == policy.book_id), None),
        kind=policy.rule.value,
        guard_id=guard.guard_id,
        threshold=verdict.level,
        value=verdict.value,
        action=policy.action,
        seen_by=seen_by,
        numbers=journal.plain(numbers),
        goal_ids=goal_ids,
    )
    journal.record(
        "risk.tripped",
        actor=f"engine:{seen_by}",
        why=why,
        subject=policy.rule.value,
        moved=("ARMED", "TRIPPED"),
        run_id=run.run_id,
        account_id=event.account_id,
        book_id=policy.book_id,
        **numbers,
    )
    alarms.ring("STOP_TRIPPED", f"{run.name}: {why}", key=f"guard:{guard.guard_id}", run_id=run.run_id, **numbers)
    announce(run.run_id, [book.account_id for book in books])
    return event


def numbers_used(
    run: OpenRun, book_id: int | None, value: Decimal, level: Decimal, quotes: Mapping[str, Quote], now: datetime
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
    return {"pnl": to_paisa(value), "level": level, "legs": legs}


def ask_to_leave(books: list[OpenBook], *, reason: str, asked_by: str, why: str, numbers: dict[str, Any]) -> list[int]:
    """Ask for the goals of these books, in the caller's transaction; ids of the goals that now stand."""
    goals = [
        flatten.request(book.book_id, reason=reason, asked_by=asked_by, why=why, numbers=journal.plain(numbers)) for book in books
    ]
    return [goal.pk for goal in goals if goal is not None]


def announce(run_id: int, account_ids: list[int]) -> None:
    """After commit: put the order workers to work and tell the browsers to read again."""

    def tell() -> None:
        if account_ids:
            wake.wake(sorted(set(account_ids)))
        push.push(f"run:{run_id}", "changed")
        push.push("risk", "changed")

    transaction.on_commit(tell)


def reassert(runs: Iterable[OpenRun]) -> list[int]:
    """Every exit that was decided stands until its books are flat: a live book in its scope without a goal is asked again.

    Ids of goals this call had to ask for; normally none, because trip and goal are one transaction.
    """
    live = {run.run_id: run for run in runs if run.books_in(None)}
    decided = list(
        RiskEvent.objects.filter(run_id__in=live, action="EXIT").order_by("id").values_list("id", "run_id", "book_id", "kind")
    )
    if not decided:
        return []
    owned = [book.book_id for run in live.values() for book in run.books]
    working = set(ExitGoal.objects.filter(book_id__in=owned).exclude(state=ExitGoal.State.DONE).values_list("book_id", flat=True))
    asked: list[int] = []
    for event_id, run_id, book_id, kind in decided:
        run = live[run_id]
        without = [book for book in run.books_in(book_id) if book.book_id not in working]
        if not without:
            continue
        why = f"{sentences.RULE_NAMES.get(kind, kind)} decided earlier (event {event_id}); not flat yet."
        with transaction.atomic():
            goals = ask_to_leave(without, reason=kind, asked_by="engine:sweep", why=why, numbers={"event": event_id})
            if goals:
                announce(run_id, [book.account_id for book in without])
        working.update(book.book_id for book in without)
        asked += goals
    return asked
