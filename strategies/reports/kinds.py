"""Charges by kind, as a contract note lists them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from algomirror.kernel.money import ZERO, to_paisa
from strategies.analytics.charging import OrderCost
from trading.domain.charges import Charges

LABELS: Final = {
    "brokerage": "Brokerage",
    "stt": "STT",
    "transaction": "Transaction charges",
    "sebi": "SEBI fee",
    "stamp": "Stamp duty",
    "gst": "GST",
}


@dataclass(slots=True)
class Costs:
    """Rupees, positive. `total` is what net is reckoned with: every order rounded to paisa, so the parts may differ from it by
    paisa. All are unknown (None) while a rate of one of the orders is missing. STT holds the tax on exercise.
    """

    parts: Charges = field(default_factory=Charges)
    rounded: Decimal = ZERO
    orders: int = 0
    is_known: bool = True

    def take(self, one: OrderCost) -> None:
        self.orders += not one.is_exercise
        if one.cost is None:
            self.is_known = False
        else:
            self.parts += one.cost
            self.rounded += one.cost.total

    @property
    def total(self) -> Decimal | None:
        return self.rounded if self.is_known else None

    def of(self, kind: str) -> Decimal | None:
        """One of LABELS, to paisa."""
        return to_paisa(getattr(self.parts, kind)) if self.is_known else None

    @property
    def by_kind(self) -> list[tuple[str, Decimal | None]]:
        return [(label, self.of(kind)) for kind, label in LABELS.items()]

    @property
    def values(self) -> list[Decimal | None]:
        """In the order of LABELS."""
        return [self.of(kind) for kind in LABELS]


def together(all_costs: Iterable[Costs]) -> Costs:
    whole = Costs()
    for one in all_costs:
        whole.parts += one.parts
        whole.rounded += one.rounded
        whole.orders += one.orders
        whole.is_known = whole.is_known and one.is_known
    return whole
