"""One function per rule: where its line stands, which way it trips, and what it remembers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from risk.domain import trailing
from risk.domain.snapshot import (
    MONEY,
    OF_A_LEG,
    PREMIUM,
    UNDERLYING,
    ZERO,
    GuardView,
    LegMark,
    Policy,
    Rule,
    Snapshot,
    Trips,
)
from risk.domain.terms import Line, Lock, Trail

HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Standing:
    """`level` None: watching, but nothing to fall below yet."""

    level: Decimal | None
    trips: Trips
    inputs: Mapping[str, Any]

    def is_reached(self, value: Decimal) -> bool:
        if self.level is None:
            return False
        return value <= self.level if self.trips == "DOWN" else value >= self.level


# `value` None asks where the line stands now, without an observation.
Judge = Callable[[Policy, GuardView, Decimal | None, Snapshot], Standing | None]


def measure(policy: Policy, snapshot: Snapshot) -> Decimal | None:
    """The number this guard compares; None while it is unknown or there is nothing to compare."""
    if policy.rule in MONEY:
        pnl = snapshot.pnl(policy.book_id)
        return None if pnl is None else pnl.total
    if policy.rule in OF_A_LEG:
        leg = snapshot.leg(policy.book_id, policy.leg)
        return None if leg is None or not leg.units else leg.mark
    if policy.rule in PREMIUM:
        premium = snapshot.premium()
        return None if premium is None else premium.value
    if policy.rule in UNDERLYING:
        return snapshot.underlying
    return None if snapshot.signal is None else snapshot.signal.value


def line_level(line: Line, entry: Decimal, *, adverse: bool, is_long: bool) -> Decimal:
    """7.13's table: a stop is adverse, a target is not."""
    if line.kind == "PREMIUM":
        return line.value
    step = abs(entry) * line.value / HUNDRED if line.kind == "PERCENT" else line.value
    return entry - step if adverse == is_long else entry + step


def way(*, adverse: bool, is_long: bool) -> Trips:
    return "DOWN" if adverse == is_long else "UP"


def _max_loss(policy: Policy, state: GuardView, value: Decimal | None, snapshot: Snapshot) -> Standing:
    return Standing(-policy.limit, "DOWN", state.inputs)


def _max_profit(policy: Policy, state: GuardView, value: Decimal | None, snapshot: Snapshot) -> Standing:
    return Standing(policy.limit, "UP", state.inputs)


def _underlying_below(policy: Policy, state: GuardView, value: Decimal | None, snapshot: Snapshot) -> Standing:
    return Standing(policy.limit, "DOWN", state.inputs)


def _tag(terms: object) -> str:
    """Other terms, other line: what was remembered under the old ones binds no longer."""
    return repr(terms)


def _remembered(state: GuardView, name: str, tag: str | None = None) -> Decimal | None:
    if tag is not None and state.inputs.get("of") != tag:
        return None
    text = state.inputs.get(name)
    return None if text is None else Decimal(text)


def _memory(trips: Trips, tag: str, **numbers: Decimal | None) -> dict[str, Any]:
    return {"trips": trips, "of": tag, **{name: str(number) for name, number in numbers.items() if number is not None}}


def _trailing_stop(policy: Policy, state: GuardView, value: Decimal | None, snapshot: Snapshot) -> Standing:
    trail = policy.terms
    assert isinstance(trail, Trail)
    tag = _tag(trail)
    peak = max(ZERO, _remembered(state, "peak") or ZERO, ZERO if value is None else value)
    stop = trailing.stop_at(trail, snapshot.net_premium(policy.book_id), snapshot.base_units(policy.book_id), peak)
    before = _remembered(state, "stop", tag)
    if not snapshot.entry_is_complete:
        return Standing(stop, "DOWN", _memory("DOWN", tag, peak=peak))
    stop = stop if before is None else max(stop, before)
    return Standing(stop, "DOWN", _memory("DOWN", tag, peak=peak, stop=stop))


def _profit_lock(policy: Policy, state: GuardView, value: Decimal | None, snapshot: Snapshot) -> Standing:
    lock = policy.terms
    assert isinstance(lock, Lock)
    tag = _tag(lock)
    peak = max(ZERO, _remembered(state, "peak") or ZERO, ZERO if value is None else value)
    floors = [floor for floor in (trailing.locked(lock, peak), _remembered(state, "stop", tag)) if floor is not None]
    floor = max(floors, default=None)
    return Standing(floor, "DOWN", _memory("DOWN", tag, peak=peak, stop=floor))


def _open_leg(policy: Policy, snapshot: Snapshot) -> tuple[LegMark, Decimal] | None:
    leg = snapshot.leg(policy.book_id, policy.leg)
    if leg is None or not leg.units or leg.average is None:
        return None
    return leg, leg.average


def _leg_line(policy: Policy, state: GuardView, snapshot: Snapshot, *, adverse: bool) -> Standing | None:
    found, line = _open_leg(policy, snapshot), policy.terms
    if found is None or not isinstance(line, Line):
        return None
    leg, entry = found
    level = line_level(line, entry, adverse=adverse, is_long=leg.is_long)
    return Standing(level, way(adverse=adverse, is_long=leg.is_long), state.inputs)


def _leg_stop(policy: Policy, state: GuardView, value: Decimal | None, snapshot: Snapshot) -> Standing | None:
    return _leg_line(policy, state, snapshot, adverse=True)


def _leg_target(policy: Policy, state: GuardView, value: Decimal | None, snapshot: Snapshot) -> Standing | None:
    return _leg_line(policy, state, snapshot, adverse=False)


def _leg_trailing(policy: Policy, state: GuardView, value: Decimal | None, snapshot: Snapshot) -> Standing | None:
    found, line = _open_leg(policy, snapshot), policy.terms
    if found is None or not isinstance(line, Line):
        return None
    leg, entry = found
    tag, nearer = _tag(line), max if leg.is_long else min
    seen = [entry, value, _remembered(state, "peak")] if snapshot.entry_is_complete else [entry, value]
    best = nearer(number for number in seen if number is not None)
    trips = way(adverse=True, is_long=leg.is_long)
    stop = line_level(line, best, adverse=True, is_long=leg.is_long)
    if not snapshot.entry_is_complete:
        return Standing(stop, trips, state.inputs)
    before = _remembered(state, "stop", tag)
    stop = stop if before is None else nearer(stop, before)
    return Standing(stop, trips, _memory(trips, tag, peak=best, stop=stop))


def _cost_stop(policy: Policy, state: GuardView, value: Decimal | None, snapshot: Snapshot) -> Standing | None:
    """Asleep until another leg of this book was stopped; then the entry price is the stop."""
    found = _open_leg(policy, snapshot)
    if found is None or not any(book == policy.book_id and leg != policy.leg for book, leg in snapshot.stopped):
        return None
    leg, entry = found
    return Standing(entry, way(adverse=True, is_long=leg.is_long), state.inputs)


def _premium_line(policy: Policy, state: GuardView, snapshot: Snapshot, *, adverse: bool) -> Standing | None:
    premium, line = snapshot.premium(), policy.terms
    if premium is None or not isinstance(line, Line):
        return None
    level = line_level(line, premium.entry, adverse=adverse, is_long=not premium.is_credit)
    if line.kind == "PREMIUM":
        # Said of the whole structure: with a leg closed, its distance from entry goes on from what is left.
        level = premium.entry + (line.value - premium.entry_whole)
    return Standing(level, way(adverse=adverse, is_long=not premium.is_credit), state.inputs)


def _premium_stop(policy: Policy, state: GuardView, value: Decimal | None, snapshot: Snapshot) -> Standing | None:
    return _premium_line(policy, state, snapshot, adverse=True)


def _premium_target(policy: Policy, state: GuardView, value: Decimal | None, snapshot: Snapshot) -> Standing | None:
    return _premium_line(policy, state, snapshot, adverse=False)


JUDGES: Final[Mapping[Rule, Judge]] = {
    Rule.MAX_LOSS: _max_loss,
    Rule.MAX_PROFIT: _max_profit,
    Rule.TRAILING_STOP: _trailing_stop,
    Rule.PROFIT_LOCK: _profit_lock,
    Rule.LEG_STOP: _leg_stop,
    Rule.LEG_TARGET: _leg_target,
    Rule.LEG_TRAILING: _leg_trailing,
    Rule.COST_STOP: _cost_stop,
    Rule.PREMIUM_STOP: _premium_stop,
    Rule.PREMIUM_TARGET: _premium_target,
    Rule.UNDERLYING_BELOW: _underlying_below,
    Rule.UNDERLYING_ABOVE: _max_profit,
}
