"""When a run must be left. Pure rules over one snapshot: the same answer on a tick and in the sweep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Literal

from trading.domain.pnl import Pnl, run_pnl


class Rule(StrEnum):
    """Names are exit reasons, so that a trip says by itself why the run was left."""

    MAX_LOSS = "MAX_LOSS"
    MAX_PROFIT = "MAX_PROFIT"


class Stage(StrEnum):
    WAITING = "WAITING"
    ARMED = "ARMED"
    TRIPPED = "TRIPPED"


@dataclass(frozen=True, slots=True)
class Policy:
    """What one guard was told. `limit` is positive rupees; `book_id` None watches the sum over the run's books."""

    rule: Rule
    limit: Decimal
    action: Literal["EXIT", "ALERT"] = "EXIT"
    book_id: int | None = None


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
class Snapshot:
    """One run at one instant: what every guard of it looks at."""

    books: Mapping[int, BookMark]

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
    def is_complete(self) -> bool:
        return all(mark.pnl.unrealised is not None for mark in self.books.values())

    @property
    def missing(self) -> tuple[str, ...]:
        return tuple(sorted({key for mark in self.books.values() for key in mark.pnl.missing}))


@dataclass(frozen=True, slots=True)
class Verdict:
    """`tripped` with the level and the value that decided; `is_known` False when there was no complete mark."""

    tripped: bool
    is_known: bool
    level: Decimal | None = None
    value: Decimal | None = None


UNKNOWN: Final = Verdict(tripped=False, is_known=False)

# level and whether `value` has reached it; a rule with memory returns its new memory as the third part.
Judge = Callable[[Policy, GuardView, Decimal, Snapshot], tuple[Decimal, bool, Mapping[str, Any]]]


def _max_loss(policy: Policy, state: GuardView, value: Decimal, snapshot: Snapshot) -> tuple[Decimal, bool, Mapping[str, Any]]:
    level = -policy.limit
    return level, value <= level, state.inputs


def _max_profit(policy: Policy, state: GuardView, value: Decimal, snapshot: Snapshot) -> tuple[Decimal, bool, Mapping[str, Any]]:
    return policy.limit, value >= policy.limit, state.inputs


RULES: Final[Mapping[Rule, Judge]] = {Rule.MAX_LOSS: _max_loss, Rule.MAX_PROFIT: _max_profit}


def evaluate(policy: Policy, state: GuardView, snapshot: Snapshot, now: datetime) -> tuple[GuardView, Verdict]:
    """One guard, one look.

    Arms on the first complete mark after the first fill and decides in the same look, so a level already breached
    trips at once. An unknown P&L changes nothing: it neither trips nor disarms. A tripped guard stays tripped.
    """
    pnl = snapshot.pnl(policy.book_id)
    value = None if pnl is None else pnl.total
    if state.stage is Stage.TRIPPED or value is None or not snapshot.is_at_stake(policy.book_id):
        return state, UNKNOWN
    level, reached, inputs = RULES[policy.rule](policy, state, value, snapshot)
    armed = replace(state, stage=Stage.ARMED, level=level, value=value, armed_at=state.armed_at or now, inputs=inputs)
    if not reached:
        return armed, Verdict(tripped=False, is_known=True, level=level, value=value)
    return replace(armed, stage=Stage.TRIPPED, tripped_at=now), Verdict(tripped=True, is_known=True, level=level, value=value)
