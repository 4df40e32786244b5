"""Orders, trades and positions as plain records, and the average-cost fold."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from simulator.sessions import BOOKS_ROLL_AT

T = TypeVar("T")
ZERO = Decimal(0)
PAISA = Decimal("0.01")
OPEN, COMPLETE, CANCELLED, REJECTED = "open", "complete", "cancelled", "rejected"
TRIGGER_PENDING = "trigger pending"
FINAL = frozenset({COMPLETE, CANCELLED, REJECTED})


def money(value: float | int | str) -> Decimal:
    """Exact rupees to the paisa from a quote or a wire number."""
    return Decimal(str(value)).quantize(PAISA) if isinstance(value, float) else Decimal(str(value))


class Refused(Exception):
    """The order call is answered with an error. `orderid` is set when a row was stored all the same."""

    def __init__(self, message: str, status: int = 400, orderid: str | None = None) -> None:
        super().__init__(message)
        self.message, self.status, self.orderid = message, status, orderid


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a client asks for. Quantity in units; `strategy` is free text the broker never sees."""

    exchange: str
    symbol: str
    action: str
    quantity: int
    pricetype: str = "MARKET"
    product: str = "MIS"
    price: Decimal = ZERO
    trigger: Decimal = ZERO
    strategy: str = ""
    origin: str = "api"


@dataclass(frozen=True, slots=True)
class Tweaks:
    """Misfortunes of one order, decided by the fault board and carried out by the broker."""

    reject_after_s: float | None = None
    reject_reason: str = ""
    hidden_s: float = 0.0
    fill_fraction: float | None = None
    fill_fraction_s: float | None = None
    fill_delay_s: float = 0.0


NO_TWEAKS = Tweaks()


@dataclass(slots=True)
class Order:
    orderid: str
    request: OrderRequest
    quantity: int
    price: Decimal
    trigger: Decimal
    pricetype: str
    status: str
    placed_at: datetime
    reference: Decimal = ZERO
    filled: int = 0
    value: Decimal = ZERO
    last_fill: Decimal = ZERO
    reason: str = ""
    margin: Decimal = ZERO
    ready_at: datetime | None = None
    visible_from: datetime | None = None
    reject_at: datetime | None = None
    reject_reason: str = ""
    fill_after: datetime | None = None
    cap: int | None = None
    cap_until: datetime | None = None

    @property
    def is_buy(self) -> bool:
        return self.request.action == "BUY"

    @property
    def pending(self) -> int:
        return self.quantity - self.filled

    @property
    def average(self) -> Decimal:
        return self.value / self.filled if self.filled else ZERO

    @property
    def key(self) -> tuple[str, str, str]:
        return self.request.exchange, self.request.symbol, self.request.product

    def burden(self, tweaks: Tweaks, lot: int) -> None:
        """Attach the misfortunes to this order."""
        if tweaks.hidden_s:
            self.visible_from = self.placed_at + timedelta(seconds=tweaks.hidden_s)
        if tweaks.reject_after_s is not None:
            self.reject_at = self.placed_at + timedelta(seconds=tweaks.reject_after_s)
            self.reject_reason = tweaks.reject_reason
        if tweaks.fill_delay_s:
            self.fill_after = self.placed_at + timedelta(seconds=tweaks.fill_delay_s)
        if tweaks.fill_fraction is not None:
            self.cap = int(self.quantity * tweaks.fill_fraction) // lot * lot
            if tweaks.fill_fraction_s is not None:
                self.cap_until = self.placed_at + timedelta(seconds=tweaks.fill_fraction_s)

    def fillable(self, now: datetime) -> int:
        """Units that may fill now, misfortunes considered."""
        if self.fill_after is not None and now < self.fill_after:
            return 0
        if self.reject_at is not None:
            return 0
        if self.cap is None or (self.cap_until is not None and now >= self.cap_until):
            return self.pending
        return max(self.cap - self.filled, 0)


@dataclass(frozen=True, slots=True)
class Trade:
    tradeid: str
    orderid: str
    exchange: str
    symbol: str
    product: str
    action: str
    quantity: int
    price: Decimal
    at: datetime
    strategy: str


@dataclass(slots=True)
class Position:
    """Signed units (+ long), average rupees per unit, realised rupees since 03:00 and in total."""

    exchange: str
    symbol: str
    product: str
    quantity: int = 0
    average: Decimal = ZERO
    realised_today: Decimal = ZERO
    realised_total: Decimal = ZERO
    margin: Decimal = ZERO
    updated_at: datetime | None = None

    def fold(self, signed: int, price: Decimal) -> Decimal:
        """Apply one fill by average cost and return the profit it realised."""
        closing = min(abs(signed), abs(self.quantity)) if self.quantity * signed < 0 else 0
        side = 1 if self.quantity > 0 else -1
        gain = (price - self.average) * closing * side
        opening = abs(signed) - closing
        after = self.quantity + signed
        if opening and closing:
            self.average = price
        elif opening:
            self.average = (self.average * abs(self.quantity) + price * opening) / abs(after)
        elif after == 0:
            self.average = ZERO
        self.quantity = after
        self.realised_today += gain
        self.realised_total += gain
        return gain

    def unrealised(self, ltp: Decimal) -> Decimal:
        return (ltp - self.average) * self.quantity


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One order update as the stream will tell it."""

    orderid: str
    symbol: str
    exchange: str
    action: str
    quantity: int
    price: Decimal
    trigger: Decimal
    pricetype: str
    product: str
    status: str
    filled: int
    pending: int
    average: Decimal
    reason: str


def freeze(record: Any) -> dict[str, Any]:
    """A JSON-ready dict of one record: decimals as strings, times as ISO text."""
    return {k: _plain(v) for k, v in asdict(record).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return value


def thaw_order(row: dict[str, Any]) -> Order:
    request = thaw(OrderRequest, row.pop("request"))
    order = thaw(Order, {**row, "request": None})
    order.request = request
    return order


def thaw(kind: type[T], row: dict[str, Any]) -> T:
    """Inverse of `freeze` for the flat records above."""
    values: dict[str, Any] = {}
    for f in fields(kind):  # type: ignore[arg-type]
        value = row[f.name]
        declared = str(f.type)
        if value is not None and declared.startswith("Decimal"):
            value = Decimal(value)
        elif value is not None and declared.startswith("datetime"):
            value = datetime.fromisoformat(value)
        values[f.name] = value
    return kind(**values)


@dataclass
class Options:
    """Switches of the broker behind one account; times in seconds. `books_roll_at`: when its books begin anew, in India."""

    capital: Decimal = Decimal(10_000_000)
    transit_s: float = 0.3
    slices: int = 3
    refuse_market: bool = False
    semi_auto: bool = False
    books_roll_at: time = BOOKS_ROLL_AT
