"""What one day made: the cash of its trades, and what is open now against what was open when it began."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

Key = str  # "EXCHANGE:SYMBOL"
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class DayOf:
    """One instrument on one day: signed units open now, and what was bought and sold since the day began."""

    key: Key
    units: int
    bought_units: int = 0
    bought_value: Decimal = ZERO
    sold_units: int = 0
    sold_value: Decimal = ZERO

    @property
    def units_before(self) -> int:
        return self.units - self.bought_units + self.sold_units


@dataclass(frozen=True, slots=True)
class DayPnl:
    """Rupees, before charges. `total` is None when an open instrument has no usable price or no earlier close."""

    total: Decimal | None
    missing: tuple[Key, ...] = ()


def day_pnl(rows: Iterable[DayOf], marks: Mapping[Key, Decimal], closes: Mapping[Key, Decimal]) -> DayPnl:
    """Cash of the day's trades + units now × mark − units before × the close before the day.

    `marks` holds usable prices only. An instrument that was neither held nor is held needs no price at all.
    """
    total = ZERO
    missing: set[Key] = set()
    for row in rows:
        total += row.sold_value - row.bought_value
        for units, prices in ((row.units, marks), (-row.units_before, closes)):
            if not units:
                continue
            price = prices.get(row.key)
            if price is None:
                missing.add(row.key)
            else:
                total += units * price
    return DayPnl(None if missing else total, tuple(sorted(missing)))
