"""What reconciliation knows of both sides, and the changes it may prove."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from accounts.gateway.reports import BookOrder
from trading.domain.changes import Change as Asked
from trading.domain.changes import Terms
from trading.domain.orders import OrderState

NO_EFFECT = "the cancel had no effect"


@dataclass(frozen=True, slots=True)
class OurOrder:
    """What we believe of one order of ours on this account."""

    order_id: int
    book_id: int
    exchange: str
    symbol: str
    product: str
    action: str
    units: int
    price_type: str
    price: Decimal
    trigger_price: Decimal
    state: OrderState
    broker_order_id: str
    filled_units: int
    filled_value: Decimal
    baseline_read: int
    missing_reads: int
    sent_at: datetime | None
    cancel_asked_at: datetime | None = None
    answered_at: datetime | None = None
    # The process that sent it has surely ended.
    sender_gone: bool = False
    # The book's last word for it that we do not know: a person was told of it.
    strange_word: str = ""
    # A modify of it that may still take hold.
    change: Asked | None = None

    @property
    def terms(self) -> Terms:
        return Terms(self.units, self.price, self.trigger_price)

    @property
    def most_units(self) -> int:
        """What it may come to fill, with a change that is not decided."""
        return self.units if self.change is None else max(self.units, self.change.asked.units)

    @property
    def shape(self) -> tuple[str, str, str, str, int]:
        return (self.exchange, self.symbol, self.product, self.action, self.units)


@dataclass(frozen=True, slots=True)
class SeenOrder:
    """A row of the broker's book with our evidence about it. `first_read` is the read that first showed it.

    `since`: when an earlier read began that already showed these same words; None when this read is the first to.
    """

    row: BookOrder
    first_read: int
    claimed_by: int | None
    since: datetime | None = None

    @property
    def shape(self) -> tuple[str, str, str, str, int]:
        r = self.row
        return (r.exchange, r.symbol, r.product, r.action, r.units)

    @property
    def terms(self) -> Terms:
        return Terms(self.row.units, self.row.price or Decimal(0), self.row.trigger_price or Decimal(0))


@dataclass(frozen=True, slots=True)
class TradedSum:
    """All trades of one broker order in one complete trade book: units and exact rupees."""

    units: int
    value: Decimal


@dataclass(frozen=True, slots=True)
class Rules:
    """`sender`: how long a sender may still be waiting for its answer; after it a SUBMITTED order is UNKNOWN.

    `lapse_after` counts from the end of that waiting: what a slow server does after it still needs its time.
    """

    lapse_reads: int
    lapse_after: timedelta
    sender: timedelta
    cancel_patience: timedelta = timedelta(seconds=3)
    confirm: timedelta = timedelta(seconds=0.4)


# --- changes -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Adopt:
    """This broker order is ours: the only unclaimed one of that shape that appeared since we sent."""

    order_id: int
    broker_order_id: str


@dataclass(frozen=True, slots=True)
class Move:
    order_id: int
    to: OrderState
    why: str


@dataclass(frozen=True, slots=True)
class Traded:
    """Cumulative truth of the trade book for one order."""

    order_id: int
    broker_order_id: str
    units: int
    value: Decimal


@dataclass(frozen=True, slots=True)
class Modified:
    """The order is now as a modify asked. `late`: that modify had been given up."""

    order_id: int
    terms: Terms
    why: str
    late: bool = False


@dataclass(frozen=True, slots=True)
class Unmodified:
    """The books do not show the change. `sure`: the broker said no, so it will not come true later either."""

    order_id: int
    why: str
    sure: bool


@dataclass(frozen=True, slots=True)
class Missed:
    """A complete read did not show it."""

    order_id: int


@dataclass(frozen=True, slots=True)
class Freeze:
    """Two explanations fit, or the books contradict what is possible: hands off this book, call a person."""

    book_id: int
    order_id: int
    why: str


@dataclass(frozen=True, slots=True)
class Odd:
    """Worth an alarm, changes nothing."""

    order_id: int
    kind: str
    why: str


@dataclass(frozen=True, slots=True)
class Strange:
    """The book has a word for it that we do not know: a person is told once, and it may be working."""

    order_id: int
    word: str
    works: bool


Change = Adopt | Move | Traded | Modified | Unmodified | Missed | Freeze | Odd | Strange
