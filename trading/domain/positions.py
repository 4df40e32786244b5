"""A position is the fold of fills, at average cost. Nothing else changes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

SIXTH = Decimal("0.000001")
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Traded:
    """One fill: `units` > 0, `value` the exact rupees that changed hands, positive."""

    action: Literal["BUY", "SELL"]
    units: int
    value: Decimal


@dataclass(frozen=True, slots=True)
class Net:
    """Signed units (+ long), the positive rupees the open units cost, and what closing has realised."""

    units: int = 0
    open_value: Decimal = ZERO
    realised: Decimal = ZERO
    bought_units: int = 0
    bought_value: Decimal = ZERO
    sold_units: int = 0
    sold_value: Decimal = ZERO

    @property
    def average(self) -> Decimal | None:
        """Rupees per open unit; None when flat."""
        return self.open_value / abs(self.units) if self.units else None


def add(net: Net, fill: Traded) -> Net:
    """The position after one more fill.

    The cost of closed units is rounded to a millionth and subtracted from what remains, so at flat the realised
    sum equals the cash that moved, to the last digit. A fill through zero closes all and opens the rest.
    """
    buying = fill.action == "BUY"
    units, open_value, gain = _moved(net, fill, buying=buying)
    return Net(
        units=units,
        open_value=open_value,
        realised=net.realised + gain,
        bought_units=net.bought_units + (fill.units if buying else 0),
        bought_value=net.bought_value + (fill.value if buying else ZERO),
        sold_units=net.sold_units + (0 if buying else fill.units),
        sold_value=net.sold_value + (ZERO if buying else fill.value),
    )


def _moved(net: Net, fill: Traded, *, buying: bool) -> tuple[int, Decimal, Decimal]:
    """Open units and their value after the fill, and what it realised."""
    signed = fill.units if buying else -fill.units
    if net.units == 0 or (net.units > 0) == buying:
        return net.units + signed, net.open_value + fill.value, ZERO
    closing = min(fill.units, abs(net.units))
    closing_value = _share(fill.value, closing, fill.units)
    cost = _share(net.open_value, closing, abs(net.units))
    gain = closing_value - cost if net.units > 0 else cost - closing_value
    if fill.units > closing:
        return net.units + signed, fill.value - closing_value, gain
    return net.units + signed, net.open_value - cost, gain


def _share(value: Decimal, part: int, whole: int) -> Decimal:
    return value if part == whole else (value * part / whole).quantize(SIXTH, rounding=ROUND_HALF_UP)


def fold(fills: Iterable[Traded]) -> Net:
    """Net a book's fills of one instrument and product, oldest first."""
    net = Net()
    for fill in fills:
        net = add(net, fill)
    return net
