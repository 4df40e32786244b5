"""What a guard was told, what it remembers, and what it looks at: one run at one instant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from math import gcd
from typing import Any, Literal

from risk.domain.terms import Line, Lock, SupertrendTerms, Trail
from trading.domain.pnl import Pnl, run_pnl

Trips = Literal["DOWN", "UP"]
ZERO = Decimal(0)


class Rule(StrEnum):
    """Kinds of decision; `reason_of` names the exit reason each one gives."""

    MAX_LOSS = "MAX_LOSS"
    MAX_PROFIT = "MAX_PROFIT"
    TRAILING_STOP = "TRAILING_STOP"
    PROFIT_LOCK = "PROFIT_LOCK"
    LEG_STOP = "LEG_STOP"
    LEG_TARGET = "LEG_TARGET"
    LEG_TRAILING = "LEG_TRAILING"
    COST_STOP = "COST_STOP"
    PREMIUM_STOP = "PREMIUM_STOP"
    PREMIUM_TARGET = "PREMIUM_TARGET"
    UNDERLYING_BELOW = "UNDERLYING_BELOW"
    UNDERLYING_ABOVE = "UNDERLYING_ABOVE"
    EXIT_TIME = "EXIT_TIME"
    SQUARE_OFF = "SQUARE_OFF"
    EXPIRY = "EXPIRY"
    SUPERTREND = "SUPERTREND"


MONEY = frozenset({Rule.MAX_LOSS, Rule.MAX_PROFIT, Rule.TRAILING_STOP, Rule.PROFIT_LOCK})
OF_A_LEG = frozenset({Rule.LEG_STOP, Rule.LEG_TARGET, Rule.LEG_TRAILING, Rule.COST_STOP})
PREMIUM = frozenset({Rule.PREMIUM_STOP, Rule.PREMIUM_TARGET})
UNDERLYING = frozenset({Rule.UNDERLYING_BELOW, Rule.UNDERLYING_ABOVE})
CLOCK = frozenset({Rule.EXIT_TIME, Rule.SQUARE_OFF, Rule.EXPIRY})
# Those that remember how far it went: every tick may raise their memory, never lower it.
RATCHETS = frozenset({Rule.TRAILING_STOP, Rule.PROFIT_LOCK, Rule.LEG_TRAILING})
# A leg whose own stop fired, for the stop-to-cost of the others.
LEG_LOSSES = frozenset({Rule.LEG_STOP, Rule.LEG_TRAILING, Rule.COST_STOP})


class Stage(StrEnum):
    WAITING = "WAITING"
    ARMED = "ARMED"
    TRIPPED = "TRIPPED"


@dataclass(frozen=True, slots=True)
class Policy:
    """What one guard was told. `limit` is positive; `book_id` None watches the sum over the run's books."""

    rule: Rule
    limit: Decimal = ZERO
    action: Literal["EXIT", "ALERT"] = "EXIT"
    book_id: int | None = None
    leg: int | None = None
    terms: Trail | Lock | Line | SupertrendTerms | None = None
    # Rules of the clock only; None while the calendar cannot say.
    due: datetime | None = None
    expiry: str = ""
    # A person holds it back until then. It goes on watching and remembering, and acts again by itself.
    paused_until: datetime | None = None

    def is_paused(self, now: datetime) -> bool:
        return self.paused_until is not None and now < self.paused_until


@dataclass(frozen=True, slots=True)
class GuardView:
    """What one guard remembers. `inputs` is the memory of rules that need one (peaks, bars); limits need none."""

    stage: Stage = Stage.WAITING
    level: Decimal | None = None
    value: Decimal | None = None
    armed_at: datetime | None = None
    tripped_at: datetime | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BookMark:
    """One book at one instant. `has_traded`: a fill exists. `is_live`: not confirmed flat."""

    pnl: Pnl
    has_traded: bool
    is_live: bool


@dataclass(frozen=True, slots=True)
class LegMark:
    """One leg of one book: what entry meant and did, what is open, and its usable price (None: unknown)."""

    book_id: int
    leg: int
    key: str
    action: Literal["BUY", "SELL"]
    planned_units: int
    entry_units: int
    entry_value: Decimal
    units: int
    mark: Decimal | None

    @property
    def is_long(self) -> bool:
        return self.action == "BUY"

    @property
    def average(self) -> Decimal | None:
        return self.entry_value / self.entry_units if self.entry_units else None


@dataclass(frozen=True, slots=True)
class Premium:
    """Combined premium of the legs still open, per structure: received is positive for a credit, paid for a debit."""

    is_credit: bool
    value: Decimal | None
    entry: Decimal
    entry_whole: Decimal


@dataclass(frozen=True, slots=True)
class Signal:
    """What the Supertrend guard said of its newest bar. `turned`: against this run, on a ready bar after arming."""

    turned: bool
    value: Decimal
    line: Decimal
    memory: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One run at one instant: what every guard of it looks at."""

    books: Mapping[int, BookMark]
    legs: tuple[LegMark, ...] = ()
    underlying: Decimal | None = None
    entry_is_complete: bool = True
    # (book, leg) whose own stop fired.
    stopped: frozenset[tuple[int, int]] = frozenset()
    signal: Signal | None = None
    # What guards need beside the legs and has no usable price: the index, while something is open and it is watched.
    unpriced: frozenset[str] = frozenset()

    def pnl(self, book_id: int | None) -> Pnl | None:
        """P&L of one book, or of the run; None for a book that is not there."""
        if book_id is None:
            return run_pnl(mark.pnl for mark in self.books.values())
        mark = self.books.get(book_id)
        return None if mark is None else mark.pnl

    def is_at_stake(self, book_id: int | None) -> bool:
        """Something was filled and is not yet confirmed flat: only then there is anything to protect."""
        marks = self.books.values() if book_id is None else [self.books[book_id]] if book_id in self.books else []
        return any(mark.has_traded for mark in marks) and any(mark.is_live for mark in marks)

    @property
    def is_live(self) -> bool:
        return any(mark.is_live for mark in self.books.values())

    @property
    def is_complete(self) -> bool:
        return not self.unpriced and all(mark.pnl.unrealised is not None for mark in self.books.values())

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(sorted(self.unpriced.union(*(mark.pnl.missing for mark in self.books.values()))))

    def leg(self, book_id: int | None, number: int | None) -> LegMark | None:
        return next((leg for leg in self.legs if leg.book_id == book_id and leg.leg == number), None)

    def _legs_in(self, book_id: int | None) -> Iterator[LegMark]:
        return (leg for leg in self.legs if book_id is None or leg.book_id == book_id)

    def net_premium(self, book_id: int | None) -> Decimal:
        """Rupees paid less rupees received for entry: below 0 is a credit. Exits do not change it."""
        return sum(((leg.entry_value if leg.is_long else -leg.entry_value) for leg in self._legs_in(book_id)), ZERO)

    def base_units(self, book_id: int | None) -> int:
        """Units of one structure, summed over the books in scope: the ratio of the legs taken out."""
        planned: dict[int, int] = {}
        for leg in self._legs_in(book_id):
            planned[leg.book_id] = gcd(planned.get(leg.book_id, 0), leg.planned_units)
        return sum(planned.values())

    def _weights(self, credit: bool) -> dict[int, Decimal]:
        """Planned units of each leg per structure, signed: what is received counts up in a credit, down in a debit."""
        base = self.base_units(None)
        weights: dict[int, Decimal] = {}
        for leg in self.legs:
            sign = 1 if (leg.action == "SELL") == credit else -1
            weights[leg.leg] = weights.get(leg.leg, ZERO) + Decimal(sign * leg.planned_units) / base
        return weights

    def premium_weights(self, is_credit: bool | None = None) -> dict[str, Decimal]:
        """Weight by instrument of the legs still open; as a credit when entry received more than it paid, unless told."""
        credit = self.net_premium(None) < 0 if is_credit is None else is_credit
        weights, found = self._weights(credit), dict[str, Decimal]()
        for key, number in {(leg.key, leg.leg) for leg in self.legs if leg.units}:
            found[key] = found.get(key, ZERO) + weights[number]
        return found

    def premium(self) -> Premium | None:
        """None when no leg is open; a value of None when an open leg has no usable price."""
        open_legs = {leg.leg: leg.mark for leg in self.legs if leg.units}
        if not open_legs:
            return None
        credit = self.net_premium(None) < 0
        entry = whole = ZERO
        value: Decimal | None = ZERO
        for number, weight in self._weights(credit).items():
            mine = [leg for leg in self.legs if leg.leg == number]
            filled = sum(leg.entry_units for leg in mine)
            cost = weight * sum((leg.entry_value for leg in mine), ZERO) / filled if filled else ZERO
            whole += cost
            if number in open_legs:
                mark = open_legs[number]
                entry += cost
                value = None if value is None or mark is None else value + weight * mark
        return Premium(credit, value, entry, whole)
