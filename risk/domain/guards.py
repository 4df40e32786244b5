"""When a run must be left. Pure rules over one snapshot: the same answer on a tick and in the sweep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from risk.domain.judges import JUDGES, Standing, measure
from risk.domain.snapshot import (
    CLOCK,
    RATCHETS,
    BookMark,
    GuardView,
    LegMark,
    Policy,
    Rule,
    Signal,
    Snapshot,
    Stage,
)

__all__ = [
    "UNKNOWN",
    "BookMark",
    "GuardView",
    "LegMark",
    "Policy",
    "Rule",
    "Signal",
    "Snapshot",
    "Stage",
    "Verdict",
    "evaluate",
    "reason_of",
    "recall",
    "standing",
]

_REASONS: Final = {
    Rule.PROFIT_LOCK: "TRAILING_STOP",
    Rule.COST_STOP: "LEG_STOP",
    Rule.UNDERLYING_BELOW: "UNDERLYING_STOP",
    Rule.UNDERLYING_ABOVE: "UNDERLYING_STOP",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`tripped` with the level and the value that decided; `is_known` False when there was no complete mark."""

    tripped: bool
    is_known: bool
    level: Decimal | None = None
    value: Decimal | None = None


UNKNOWN: Final = Verdict(tripped=False, is_known=False)


def reason_of(rule: Rule) -> str:
    """The exit reason a trip of this rule gives."""
    return _REASONS.get(rule, rule.value)


def evaluate(policy: Policy, state: GuardView, snapshot: Snapshot, now: datetime) -> tuple[GuardView, Verdict]:
    """One guard, one look.

    Arms on the first complete mark after the first fill and decides in the same look, so a level already breached
    trips at once. An unknown value changes nothing: it neither trips nor disarms nor moves a peak. A tripped guard
    stays tripped. A paused one arms and remembers and does not trip; the first look after its pause decides as any other.
    Rules of the clock need no price.
    """
    if state.stage is Stage.TRIPPED:
        return state, UNKNOWN
    if policy.rule in CLOCK:
        return _by_clock(policy, state, snapshot, now)
    value = measure(policy, snapshot)
    if value is None or not snapshot.is_at_stake(policy.book_id):
        return state, UNKNOWN
    line = _by_signal(state, snapshot) if policy.rule is Rule.SUPERTREND else JUDGES[policy.rule](policy, state, value, snapshot)
    if line is None:
        return state, UNKNOWN
    by_signal = policy.rule is Rule.SUPERTREND and snapshot.signal is not None
    reached = snapshot.signal.turned if by_signal and snapshot.signal else line.is_reached(value)
    armed = replace(state, stage=Stage.ARMED, level=line.level, value=value, armed_at=state.armed_at or now, inputs=line.inputs)
    if not reached or policy.is_paused(now):
        return armed, Verdict(tripped=False, is_known=True, level=line.level, value=value)
    tripped = replace(armed, stage=Stage.TRIPPED, tripped_at=now)
    return tripped, Verdict(tripped=True, is_known=True, level=line.level, value=value)


def _by_clock(policy: Policy, state: GuardView, snapshot: Snapshot, now: datetime) -> tuple[GuardView, Verdict]:
    if policy.due is None or not snapshot.is_live:
        return state, UNKNOWN
    armed = replace(
        state, stage=Stage.ARMED, armed_at=state.armed_at or now, inputs={**state.inputs, "due": policy.due.isoformat()}
    )
    if now < policy.due or policy.is_paused(now):
        return armed, Verdict(tripped=False, is_known=True)
    return replace(armed, stage=Stage.TRIPPED, tripped_at=now), Verdict(tripped=True, is_known=True)


def _by_signal(state: GuardView, snapshot: Snapshot) -> Standing | None:
    return None if snapshot.signal is None else Standing(snapshot.signal.line, "DOWN", snapshot.signal.memory)


def standing(policy: Policy, state: GuardView, snapshot: Snapshot) -> Standing | None:
    """Where the line of this guard is, without a new observation; None for rules that watch no price."""
    judge = JUDGES.get(policy.rule)
    return None if judge is None else judge(policy, state, None, snapshot)


def recall(policy: Policy, kept: GuardView, seen: GuardView | None) -> GuardView:
    """What is stored, with what another evaluator of this process saw since: the further peak, the nearer stop."""
    if seen is None or policy.rule not in RATCHETS or kept.stage is Stage.TRIPPED:
        return kept
    if not kept.inputs or not seen.inputs:
        return replace(kept, inputs=seen.inputs or kept.inputs)
    further = max if kept.inputs.get("trips") == "DOWN" else min
    merged: dict[str, Any] = dict(kept.inputs)
    names = ("peak", "stop") if kept.inputs.get("of") == seen.inputs.get("of") else ("peak",)
    for name in names:
        numbers = [Decimal(view[name]) for view in (kept.inputs, seen.inputs) if view.get(name) is not None]
        if numbers:
            merged[name] = str(further(numbers))
    return replace(kept, inputs=merged)


def moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Has a memory changed in a way that must be kept?"""
    return any(before.get(name) != after.get(name) for name in ("peak", "stop", "of", "bar"))
