"""What guards watch, as one line of arithmetic each, so that every tick can be looked at.

A gauge never decides: where it touches a level, the guard itself is asked. The P&L gauge equals the one P&L of
trading.domain.pnl exactly (tested), because P&L is linear in the marks: sum over positions of realised + signed units x
mark - signed cost. A leg's price and a combined premium are lines too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Protocol

from risk.domain.judges import Standing
from risk.domain.snapshot import ZERO, Snapshot


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
    """`constant` + sum of weight x mark; `low` and `high` are the levels of untripped guards that watch this number."""

    constant: Decimal
    weights: tuple[tuple[str, Decimal | int], ...]
    # Open in some book, also when two books cancel out: all or nothing looks at these.
    keys: frozenset[str]
    low: Decimal | None = None
    high: Decimal | None = None

    def total(self, marks: Mapping[str, Decimal]) -> Decimal | None:
        """None as soon as one open instrument has no usable mark."""
        value = self.constant
        for key in self.keys:
            if key not in marks:
                return None
        for key, weight in self.weights:
            value += weight * marks[key]
        return value

    def touches(self, value: Decimal) -> bool:
        return (self.low is not None and value <= self.low) or (self.high is not None and value >= self.high)

    def between(self, standings: Iterable[Standing]) -> Gauge:
        """The same line with the nearest level on either side."""
        known = [one for one in standings if one.level is not None]
        return replace(
            self,
            low=max((one.level for one in known if one.trips == "DOWN" and one.level is not None), default=None),
            high=min((one.level for one in known if one.trips == "UP" and one.level is not None), default=None),
        )


def pnl_gauge(positions: Iterable[Held]) -> Gauge:
    constant = ZERO
    net: dict[str, int] = {}
    for position in positions:
        constant += position.realised
        if position.units:
            constant += -position.open_value if position.units > 0 else position.open_value
            net[position.key] = net.get(position.key, 0) + position.units
    return Gauge(constant, tuple((key, units) for key, units in net.items() if units), frozenset(net))


def price_gauge(key: str) -> Gauge:
    return Gauge(ZERO, ((key, 1),), frozenset({key}))


def premium_gauge(snapshot: Snapshot) -> Gauge | None:
    """Combined premium of the legs still open; None when none is."""
    weights = snapshot.premium_weights()
    return Gauge(ZERO, tuple(weights.items()), frozenset(weights)) if weights else None
