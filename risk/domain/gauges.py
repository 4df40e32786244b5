"""A run's P&L as one line of arithmetic, so that every tick can be looked at.

A gauge never decides: where it touches a level, the guard itself is asked. It equals the one P&L of trading.domain.pnl
exactly (tested), because P&L is linear in the marks: sum over positions of realised + signed units x mark - signed cost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from risk.domain.guards import Policy, Rule


class Held(Protocol):
    @property
    def key(self) -> str: ...

    @property
    def units(self) -> int: ...

    @property
    def open_value(self) -> Decimal: ...

    @property
    def realised(self) -> Decimal: ...


@dataclass(frozen=True, slots=True)
class Gauge:
    """`constant` + sum of units x mark; `low` and `high` are the levels of untripped guards in this scope."""

    constant: Decimal
    weights: tuple[tuple[str, int], ...]
    # Open in some book, also when two books cancel out: all or nothing looks at these.
    keys: frozenset[str]
    low: Decimal | None
    high: Decimal | None

    def total(self, marks: Mapping[str, Decimal]) -> Decimal | None:
        """None as soon as one open instrument has no usable mark."""
        value = self.constant
        for key in self.keys:
            if key not in marks:
                return None
        for key, units in self.weights:
            value += units * marks[key]
        return value

    def touches(self, value: Decimal) -> bool:
        return (self.low is not None and value <= self.low) or (self.high is not None and value >= self.high)


def gauge(positions: Iterable[Held], policies: Iterable[Policy]) -> Gauge:
    constant = Decimal(0)
    net: dict[str, int] = {}
    for position in positions:
        constant += position.realised
        if position.units:
            constant += -position.open_value if position.units > 0 else position.open_value
            net[position.key] = net.get(position.key, 0) + position.units
    policies = list(policies)
    losses = [-p.limit for p in policies if p.rule is Rule.MAX_LOSS]
    gains = [p.limit for p in policies if p.rule is Rule.MAX_PROFIT]
    return Gauge(
        constant=constant,
        weights=tuple((key, units) for key, units in net.items() if units),
        keys=frozenset(net),
        low=max(losses, default=None),
        high=min(gains, default=None),
    )
