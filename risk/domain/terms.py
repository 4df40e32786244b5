"""Protections of a run beside max loss and max profit, as a trader states them. JSON in rows, these classes in rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

ALL_LEGS: Final = 0
TIMEFRAMES: Final = (3, 5, 10, 15)


@dataclass(frozen=True, slots=True)
class Trail:
    """Per cent of net entry premium, points of one structure, or rupees; `activation` in rupees, 0 is from entry."""

    kind: Literal["PERCENT", "POINTS", "AMOUNT"]
    value: Decimal
    mode: Literal["CONSTANT_DISTANCE", "PERCENT_OF_PRICE"] = "CONSTANT_DISTANCE"
    activation: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Lock:
    """When P&L has reached `reach`, `keep` is kept; each further `step` of P&L keeps `step_keep` more. Rupees."""

    reach: Decimal
    keep: Decimal
    step: Decimal | None = None
    step_keep: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A distance from entry in per cent or points, or an absolute premium."""

    kind: Literal["PERCENT", "POINTS", "PREMIUM"]
    value: Decimal


@dataclass(frozen=True, slots=True)
class LegTerms:
    stop: Line | None = None
    target: Line | None = None
    trail: Line | None = None
    action: Literal["EXIT", "ALERT"] = "EXIT"


@dataclass(frozen=True, slots=True)
class SupertrendTerms:
    timeframe: int = 5
    period: int = 10
    multiplier: Decimal = Decimal("3.0")
    side: Literal["AUTO", "CREDIT", "DEBIT"] = "AUTO"
    adverse_at_arming: bool = False


@dataclass(frozen=True, slots=True)
class RiskTerms:
    """Everything here is off unless given. `legs` by leg number; ALL_LEGS speaks for legs without a row of their own."""

    trail: Trail | None = None
    lock: Lock | None = None
    legs: Mapping[int, LegTerms] = field(default_factory=dict)
    stop_to_cost: bool = False
    premium_stop: Line | None = None
    premium_target: Line | None = None
    underlying_below: Decimal | None = None
    underlying_above: Decimal | None = None
    exit_time: time | None = None
    square_off: time | None = None
    let_expire: bool = False
    supertrend: SupertrendTerms | None = None

    def leg(self, number: int) -> LegTerms:
        return self.legs.get(number) or self.legs.get(ALL_LEGS) or LegTerms()


@dataclass(frozen=True, slots=True)
class PlannedLeg:
    """One leg of one book as it was armed: what entry meant to own. `covers`: short legs a long one is the hedge of."""

    book: int
    leg: int
    key: str
    product: str
    action: Literal["BUY", "SELL"]
    units: int
    expiry: str = ""
    covers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Structure:
    """What a run was armed with: its planned legs and the index of its one underlying ("" when there are several)."""

    legs: tuple[PlannedLeg, ...] = ()
    underlying: str = ""

    @property
    def exchange(self) -> str:
        """Whose sessions its times follow: those of the first leg."""
        return self.legs[0].key.partition(":")[0] if self.legs else ""

    @property
    def expiries(self) -> tuple[str, ...]:
        return tuple(sorted({leg.expiry for leg in self.legs if leg.expiry}))


# Made while there is one thread: msgspec (0.22) prepares a class at its first use, and kills the process when two threads do
# that at once.
for _kind in (RiskTerms, Structure):
    msgspec.json.Decoder(_kind)

NO_TERMS: Final = RiskTerms()
NO_STRUCTURE: Final = Structure()


def row_of(terms: RiskTerms | Structure) -> dict[str, Any]:
    """JSON-able; what is off is left out, so that a new protection never changes an old row."""
    row: dict[str, Any] = msgspec.to_builtins(terms, str_keys=True)
    return {name: value for name, value in row.items() if value or (value == 0 and value is not False)}


def terms_of(row: Mapping[str, Any] | None) -> RiskTerms:
    return msgspec.convert(row, RiskTerms, str_keys=True) if row else NO_TERMS


def structure_of(row: Mapping[str, Any] | None) -> Structure:
    return msgspec.convert(row, Structure, str_keys=True) if row else NO_STRUCTURE


def faults(terms: RiskTerms, *, has_max_loss: bool) -> dict[str, str]:
    """What forbids these terms, by field of the form."""
    found: dict[str, str] = {}
    trail = terms.trail
    if trail is not None and trail.mode == "PERCENT_OF_PRICE" and trail.kind != "PERCENT":
        found["trail_mode"] = "percentage of price goes with per cent only"
    if trail is not None and trail.kind == "PERCENT" and trail.value > 100:
        found["trail_value"] = "at most 100 per cent"
    lock = terms.lock
    if lock is not None and lock.keep >= lock.reach:
        found["lock_keep"] = "keep less than what is reached"
    if lock is not None and (lock.step is None) != (lock.step_keep is None):
        found["lock_step"] = "a step needs both: for each further, keep more"
    if lock is not None and lock.step is not None and lock.step_keep is not None and lock.step_keep > lock.step:
        found["lock_step_keep"] = "a step keeps at most what it gains"
    for number, leg in terms.legs.items():
        if leg.trail is not None and leg.trail.kind == "PREMIUM":
            found[f"leg{number}_trail"] = "a trailing distance: per cent or points"
        for name, line in _lines(leg):
            if line is not None and line.kind == "PERCENT" and line.value >= 100 and name != "stop":
                found[f"leg{number}_{name}"] = "less than 100 per cent"
    if terms.stop_to_cost and not any(leg.stop or leg.trail for leg in terms.legs.values()):
        found["stop_to_cost"] = "no leg has a stop of its own that could fire"
    below, above = terms.underlying_below, terms.underlying_above
    if below is not None and above is not None and below >= above:
        found["underlying_above"] = "above must be higher than below"
    return found | _amount_faults(terms) | _supertrend_faults(terms, has_max_loss)


def _amount_faults(terms: RiskTerms) -> dict[str, str]:
    """Amounts that are given are above 0: off is said by leaving them out."""
    trail, lock = terms.trail, terms.lock
    given: dict[str, Decimal | None] = {
        "trail_value": None if trail is None else trail.value,
        "premium_stop": _value(terms.premium_stop),
        "premium_target": _value(terms.premium_target),
        "underlying_below": terms.underlying_below,
        "underlying_above": terms.underlying_above,
    }
    if lock is not None:
        given |= {"lock_reach": lock.reach, "lock_keep": lock.keep, "lock_step": lock.step, "lock_step_keep": lock.step_keep}
    for number, leg in terms.legs.items():
        given |= {f"leg{number}_{name}": _value(line) for name, line in _lines(leg)}
    found = {name: "an amount above 0, or nothing" for name, value in given.items() if value is not None and value <= 0}
    if trail is not None and trail.activation < 0:
        found["trail_activation"] = "0 or more rupees"
    return found


def _value(line: Line | None) -> Decimal | None:
    return None if line is None else line.value


def _lines(leg: LegTerms) -> tuple[tuple[str, Line | None], ...]:
    return ("stop", leg.stop), ("target", leg.target), ("trail", leg.trail)


def _supertrend_faults(terms: RiskTerms, has_max_loss: bool) -> dict[str, str]:
    st = terms.supertrend
    if st is None:
        return {}
    if not has_max_loss:
        return {"supertrend": "an indicator never replaces a stop: give a max loss that exits"}
    if (
        st.timeframe not in TIMEFRAMES
        or not 5 <= st.period <= 20
        or not 1 <= st.multiplier <= 10
        or st.multiplier % Decimal("0.5")
    ):
        return {"supertrend": "3, 5, 10 or 15 minutes; period 5 to 20; multiplier 1 to 10 in steps of 0.5"}
    return {}
