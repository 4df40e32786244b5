"""From fills to what each instrument did on one day and what of it was carried over the close."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

from trading.domain.positions import Net, Traded, add

ZERO = Decimal(0)
Place = tuple[int, tuple[str, str, str]]  # book, (exchange, symbol, product)


@dataclass(frozen=True, slots=True)
class DayFill:
    """`units` > 0; `value` the rupees that changed hands, positive."""

    place: Place
    day: date
    action: Literal["BUY", "SELL"]
    units: int
    value: Decimal


@dataclass(slots=True)
class DayLine:
    """Of one instrument of a book on the day. `realised` is of that day alone, at average cost; `held` is what was owned
    at its end (signed units, and the positive rupees they cost).
    """

    realised: Decimal = ZERO
    bought_units: int = 0
    bought_value: Decimal = ZERO
    sold_units: int = 0
    sold_value: Decimal = ZERO
    fills: int = 0
    held: Net = field(default_factory=Net)

    @property
    def bought_average(self) -> Decimal | None:
        return self.bought_value / self.bought_units if self.bought_units else None

    @property
    def sold_average(self) -> Decimal | None:
        return self.sold_value / self.sold_units if self.sold_units else None


def day_lines(fills: Iterable[DayFill], day: date) -> dict[Place, DayLine]:
    """What traded on `day` or was held at its end. Fills oldest first, from each book's first on; later days are left out."""
    found: dict[Place, DayLine] = {}
    for fill in fills:
        if fill.day > day:
            continue
        line = found.setdefault(fill.place, DayLine())
        before, line.held = line.held, add(line.held, Traded(fill.action, fill.units, fill.value))
        if fill.day < day:
            continue
        line.realised += line.held.realised - before.realised
        line.fills += 1
        if fill.action == "BUY":
            line.bought_units += fill.units
            line.bought_value += fill.value
        else:
            line.sold_units += fill.units
            line.sold_value += fill.value
    return {place: line for place, line in found.items() if line.fills or line.held.units}
