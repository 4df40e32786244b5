"""Good-till-triggered orders, simple: one or two trigger prices, no expiry run."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from simulator.orders import ZERO, OrderRequest


@dataclass(slots=True)
class Gtt:
    """Triggers are rupees, zero when absent; `last_price` is the price when it was placed."""

    trigger_id: str
    strategy: str
    trigger_type: str
    exchange: str
    symbol: str
    action: str
    product: str
    quantity: int
    pricetype: str
    price: Decimal
    trigger_low: Decimal
    trigger_high: Decimal
    stoploss: Decimal
    target: Decimal
    last_price: Decimal
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    status: str = "active"

    @property
    def is_active(self) -> bool:
        return self.status == "active"

    @property
    def triggers(self) -> list[Decimal]:
        return [t for t in (self.trigger_low, self.trigger_high) if t]

    def limits(self) -> list[Decimal]:
        """Order price of each leg, in the order of `triggers`."""
        return [self.stoploss, self.target] if self.trigger_type == "OCO" else [self.price]

    def fires(self, last: Decimal | None) -> OrderRequest | None:
        """The order to place when a trigger is crossed; the trigger is then spent."""
        if last is None:
            return None
        for trigger, limit in zip(self.triggers, self.limits(), strict=False):
            crossed = last <= trigger if trigger < self.last_price else last >= trigger
            if crossed:
                self.status = "triggered"
                return self._order(limit)
        return None

    def _order(self, limit: Decimal) -> OrderRequest:
        price = limit if self.pricetype == "LIMIT" else ZERO
        return OrderRequest(
            self.exchange,
            self.symbol,
            self.action,
            self.quantity,
            self.pricetype,
            self.product,
            price,
            strategy=self.strategy,
        )
