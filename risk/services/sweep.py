"""The only writer of guard states and risk events, for the sweep, the tick and the signal alike.

A trip is one transaction: the guard by compare-and-set, the event, the journal row, the exit goals. Whoever loses the race
for the guard changes nothing; a crash leaves all of it or none of it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from django.db import models, transaction

from algomirror.ops import alarms, journal, prepared
from marketdata import quotes as store
from marketdata.domain.quotes import Quote
from risk import selectors
from risk.domain import sentences
from risk.domain.guards import GuardView, Signal, Snapshot, Stage, Verdict, evaluate, moved, reason_of, recall
from risk.models import GuardState, RiskEvent
from risk.selectors import Guard, OpenRun
from risk.services.leaving import announce, ask_to_leave, numbers_used, targets_of

__all__ = ["Memories", "Note", "decide", "evaluate_run", "keep", "keep_signal", "look_over", "moved"]

log = logging.getLogger(__name__)

# One caller only moves an armed guard, whoever evaluates it.
_win = prepared.PreparedUpdate(
    lambda guard: GuardState.objects.filter(pk=guard, state=Stage.ARMED.value),
    ["tripped_at", "evaluated_at", "value", "level", "inputs"],
    state=Stage.TRIPPED.value,
)

NOTED_EVERY_S = 5.0

Memories = Mapping[int, GuardView]
NOTHING_SEEN: Memories = {}


class Note(NamedTuple):
    guard: Guard
    view: GuardView


class Decided(NamedTuple):
    """What one decision made, and what is still to be remembered of it."""

    events: tuple[RiskEvent, ...]
    notes: tuple[Note, ...]


class Found(NamedTuple):
    """What one look at a run calls for: a decision to commit, or only memories and figures to keep."""

    decides: bool
    notes: tuple[Note, ...]


def evaluate_run(
    run_id: int,
    *,
    quotes: Mapping[str, Quote],
    now: datetime,
    seen_by: str,
    memories: Memories = NOTHING_SEEN,
    signal: Signal | None = None,
) -> list[RiskEvent]:
    """Read the run afresh, look at every guard, commit what tripped. The events this call made; none when another did."""
    run = selectors.open_run(run_id)
    if run is None:
        return []
    decided = decide(run, quotes=quotes, now=now, seen_by=seen_by, memories=memories, signal=signal)
    if decided.notes:
        try:
            keep(decided.notes, now)
        except Exception:
            log.exception("memories not kept run=%s", run_id)
            for note in decided.notes:
                _tell_failed(run, note.guard)
    return list(decided.events)


def decide(
    run: OpenRun,
    *,
    quotes: Mapping[str, Quote],
    now: datetime,
    seen_by: str,
    memories: Memories = NOTHING_SEEN,
    signal: Signal | None = None,
) -> Decided:
    """Look at every guard of a run as it stands; commit what trips, then what arms. What is only to be remembered is left
    to the caller: it may wait until nobody has to leave.
    """
    seen = selectors.snapshot(run, quotes, now, store.bounds(), signal=signal)
    looked = [look for guard in run.guards if (look := _look(run, guard, seen, memories.get(guard.guard_id), now)) is not None]
    events: list[RiskEvent] = []
    for look in sorted(looked, key=lambda one: not one.verdict.tripped):
        if not look.acts:
            continue
        try:
            event = _commit(run, look, quotes, now, seen_by)
        except Exception:
            log.exception("guard not committed run=%s guard=%s", run.run_id, look.guard.guard_id)
            _tell_failed(run, look.guard)
            continue
        if event is not None:
            events.append(event)
    return Decided(tuple(events), tuple(Note(look.guard, look.view) for look in looked if not look.acts))


def _tell_failed(run: OpenRun, guard: Guard) -> None:
    """One failing guard must not silence the next."""
    text = f"{run.name}: {guard.policy.rule} could not be evaluated"
    alarms.ring("GUARD_FAILED", text, key=str(guard.guard_id), run_id=run.run_id)


def look_over(run: OpenRun, seen: Snapshot, now: datetime) -> Found:
    """Without a query: does a guard arm or trip, and which memories moved or figures grew old?"""
    notes: list[Note] = []
    for guard in run.guards:
        try:
            view, verdict = evaluate(guard.policy, guard.view, seen, now)
        except Exception:
            # Decided one by one, so that it rings and the others have their turn.
            log.exception("guard failed run=%s guard=%s", run.run_id, guard.guard_id)
            return Found(True, ())
        if view.stage is not guard.view.stage:
            return Found(True, ())
        if verdict.is_known and _is_worth_a_note(guard, view, now):
            notes.append(Note(guard, view))
    return Found(False, tuple(notes))


def _is_worth_a_note(guard: Guard, view: GuardView, now: datetime) -> bool:
    if moved(guard.view.inputs, view.inputs):
        return True
    return guard.evaluated_at is None or (now - guard.evaluated_at).total_seconds() >= NOTED_EVERY_S


def keep(notes: Iterable[Note], now: datetime) -> None:
    """Write memories and figures in one transaction. A note that lost its race is looked at again in a second."""
    with transaction.atomic():
        for guard, view in notes:
            _note(guard, view, now)


def _note(guard: Guard, view: GuardView, now: datetime) -> bool:
    """A figure is only written; a memory also counts, and only over the memory it was made from."""
    armed = GuardState.objects.filter(pk=guard.guard_id, state=Stage.ARMED.value)
    if not moved(guard.view.inputs, view.inputs):
        return bool(armed.update(value=view.value, level=view.level, evaluated_at=now))
    memory = dict(view.inputs)
    return bool(
        armed.filter(noted=guard.noted).update(
            value=view.value, level=view.level, evaluated_at=now, inputs=memory, noted=models.F("noted") + 1
        )
    )


def keep_signal(guard: Guard, memory: Mapping[str, Any], now: datetime) -> bool:
    """What a signal guard learned of a bar on which nothing is decided: not ready, or not knowable."""
    waiting = [Stage.WAITING.value, Stage.ARMED.value]
    return bool(
        GuardState.objects.filter(pk=guard.guard_id, state__in=waiting, noted=guard.noted).update(
            inputs=dict(memory), evaluated_at=now, noted=models.F("noted") + 1
        )
    )


class Look(NamedTuple):
    """One guard that arms, trips, or has something to remember."""

    guard: Guard
    view: GuardView
    verdict: Verdict

    @property
    def acts(self) -> bool:
        return self.verdict.tripped or self.guard.view.stage is Stage.WAITING


def _look(run: OpenRun, guard: Guard, seen: Snapshot, remembered: GuardView | None, now: datetime) -> Look | None:
    try:
        view, verdict = evaluate(guard.policy, recall(guard.policy, guard.view, remembered), seen, now)
    except Exception:
        log.exception("guard failed run=%s guard=%s", run.run_id, guard.guard_id)
        _tell_failed(run, guard)
        return None
    arms = guard.view.stage is Stage.WAITING
    if not verdict.is_known or not (arms or verdict.tripped or _is_worth_a_note(guard, view, now)):
        return None
    return Look(guard, view, verdict)


def _commit(run: OpenRun, look: Look, quotes: Mapping[str, Quote], now: datetime, seen_by: str) -> RiskEvent | None:
    guard, view, verdict = look
    arms = guard.view.stage is Stage.WAITING
    with transaction.atomic():
        if arms and not _arm(run, guard, view, now, seen_by):
            return None
        if verdict.tripped:
            return _trip(run, guard, view, verdict, quotes, now, seen_by)
    return None


def _arm(run: OpenRun, guard: Guard, view: GuardView, now: datetime, seen_by: str) -> bool:
    won = GuardState.objects.filter(pk=guard.guard_id, state=Stage.WAITING.value).update(
        state=Stage.ARMED.value, armed_at=now, evaluated_at=now, value=view.value, level=view.level, inputs=dict(view.inputs)
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
            leg=guard.policy.leg,
            level=view.level,
            value=view.value,
            **({"due": view.inputs["due"]} if "due" in view.inputs else {}),
        )
    return bool(won)


def _trip(
    run: OpenRun, guard: Guard, view: GuardView, verdict: Verdict, quotes: Mapping[str, Quote], now: datetime, seen_by: str
) -> RiskEvent | None:
    policy = guard.policy
    if not _win(guard.guard_id, now, now, verdict.value, verdict.level, dict(view.inputs)):
        return None
    what = next((leg.key.partition(":")[2] for leg in run.structure.legs if leg.leg == policy.leg), "")
    why = sentences.tripped(
        policy.rule, value=verdict.value, level=verdict.level, seen_by=seen_by, action=policy.action, what=what
    )
    numbers = numbers_used(run, policy.book_id, verdict.value, verdict.level, quotes, now) | _memory_used(view)
    books = run.books_in(policy.book_id) if policy.action == "EXIT" else []
    targets = targets_of(run, policy, books)
    reason, asked_by = reason_of(policy.rule), f"engine:{seen_by}"
    goal_ids = ask_to_leave(books, reason=reason, asked_by=asked_by, why=why, numbers=numbers, targets=targets)
    event = RiskEvent(
        at=now,
        run_id=run.run_id,
        book_id=policy.book_id,
        account_id=next((b.account_id for b in run.books if b.book_id == policy.book_id), None),
        leg=policy.leg,
        kind=policy.rule.value,
        guard_id=guard.guard_id,
        threshold=verdict.level,
        value=verdict.value,
        action=policy.action,
        seen_by=seen_by,
        numbers=journal.plain(numbers),
        goal_ids=goal_ids,
        targets={str(book): dict(leave) for book, leave in targets.items()},
    )
    prepared.insert(event)
    _tell(run, event, why, asked_by, numbers, [book.account_id for book in books])
    return event


def _memory_used(view: GuardView) -> dict[str, Any]:
    return {
        name: view.inputs[name]
        for name in ("peak", "stop", "due", "bar", "decided", "direction", "side", "timeframe", "digest")
        if name in view.inputs
    }


def _tell(run: OpenRun, event: RiskEvent, why: str, actor: str, numbers: Mapping[str, Any], account_ids: list[int]) -> None:
    journal.record(
        "risk.tripped",
        actor=actor,
        why=why,
        subject=event.kind,
        moved=("ARMED", "TRIPPED"),
        run_id=run.run_id,
        account_id=event.account_id,
        book_id=event.book_id,
        **numbers,
    )
    kept = {name: value for name, value in numbers.items() if name not in ("run_id", "account_id", "key")}
    alarms.ring("STOP_TRIPPED", f"{run.name}: {why}", key=f"guard:{event.guard_id}", run_id=run.run_id, **kept)
    announce(run.run_id, account_ids)
