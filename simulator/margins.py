"""Broker-side margin as the recording's broker computed it: span 9.5 % and exposure 2 % of notional."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from simulator.instruments import Contract
from simulator.market import Market
from simulator.orders import ZERO, money

SPAN, EXPOSURE = Decimal("0.095"), Decimal("0.02")
EQUITY_MIS = Decimal("0.2")


@dataclass(frozen=True, slots=True)
class Need:
    """Rupees: span and exposure for short options and futures, premium for long options and shares."""

    span: Decimal = ZERO
    exposure: Decimal = ZERO
    premium: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.span + self.exposure + self.premium

    def __add__(self, other: Need) -> Need:
        return Need(self.span + other.span, self.exposure + other.exposure, self.premium + other.premium)


def need(market: Market, contract: Contract, signed: int, price: Decimal, product: str) -> Need:
    """Margin of holding `signed` units bought or sold at `price`."""
    quantity = abs(signed)
    if contract.kind in ("EQ", "INDEX"):
        share = EQUITY_MIS if product == "MIS" else Decimal(1)
        return Need(premium=price * quantity * share)
    if contract.is_option and signed > 0:
        return Need(premium=price * quantity)
    notional = money(market.spot(contract.name)) * quantity
    return Need(span=notional * SPAN, exposure=notional * EXPOSURE)
