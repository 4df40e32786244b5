"""What trading costs besides the price: brokerage, taxes and fees of one side, from dated rates."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from algomirror.kernel.money import ZERO, Action, to_paisa


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares of the traded value (0.0015 is 0.15 %); `gst` is a share of brokerage, transaction and SEBI fee."""

    stt: Decimal
    transaction: Decimal
    sebi: Decimal
    stamp: Decimal
    gst: Decimal


@dataclass(frozen=True, slots=True)
class Charges:
    """Rupees, unrounded; only the total is rounded, to paisa, half up."""

    brokerage: Decimal = ZERO
    stt: Decimal = ZERO
    transaction: Decimal = ZERO
    sebi: Decimal = ZERO
    stamp: Decimal = ZERO
    gst: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return to_paisa(self.brokerage + self.stt + self.transaction + self.sebi + self.stamp + self.gst)

    def __add__(self, other: Charges) -> Charges:
        return Charges(
            self.brokerage + other.brokerage,
            self.stt + other.stt,
            self.transaction + other.transaction,
            self.sebi + other.sebi,
            self.stamp + other.stamp,
            self.gst + other.gst,
        )


def charges(action: Action, value: Decimal, *, orders: int, brokerage_per_order: Decimal, rates: Rates) -> Charges:
    """Of one side worth `value` rupees (premium, or a future's value) done in that many executed child orders."""
    brokerage = brokerage_per_order * orders
    transaction, sebi = value * rates.transaction, value * rates.sebi
    return Charges(
        brokerage=brokerage,
        stt=value * rates.stt if action == "SELL" else ZERO,
        transaction=transaction,
        sebi=sebi,
        stamp=value * rates.stamp if action == "BUY" else ZERO,
        gst=(brokerage + transaction + sebi) * rates.gst,
    )
