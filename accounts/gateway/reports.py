"""What a broker told us, typed. A failure is its own type and has no rows to iterate."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Generic, Literal, TypeAlias, TypeVar

T = TypeVar("T")

PriceType = Literal["MARKET", "LIMIT", "SL", "SL-M"]
Product = Literal["MIS", "NRML", "CNC"]


class Word(StrEnum):
    """The broker's word for an order, normalised. UNKNOWN: it may be working, and brings no ended order back to life."""

    WORKING = "WORKING"
    TRIGGER_PENDING = "TRIGGER_PENDING"
    COMPLETE = "COMPLETE"
    CANCELLED = "CANCELLED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"


# An order of which a book says one of these does not work any more.
ENDING = frozenset({Word.COMPLETE, Word.CANCELLED, Word.REJECTED})


class Why(StrEnum):
    """Kinds of failed reads and refused calls."""

    TIMEOUT = "TIMEOUT"
    UNREACHABLE = "UNREACHABLE"
    KEY_REFUSED = "KEY_REFUSED"
    THROTTLED = "THROTTLED"
    REFUSED = "REFUSED"
    SERVER_ERROR = "SERVER_ERROR"
    UNREADABLE = "UNREADABLE"
    NO_SESSION = "NO_SESSION"
    BUDGET = "BUDGET"


@dataclass(frozen=True, slots=True)
class Failed:
    """A question that was not answered. It says nothing about the account."""

    why: Why
    text: str
    http_status: int | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Read(Generic[T]):
    """A complete, parsed answer. `started_at` is when we asked: what happened after it may be missing."""

    value: T
    started_at: datetime
    finished_at: datetime
    mode: Literal["LIVE", "PAPER"] | None = None


Answer: TypeAlias = Read[T] | Failed


@dataclass(frozen=True, slots=True)
class BookOrder:
    """One row of the order book. Fill fields are hints: fills come from the trade book."""

    broker_order_id: str
    exchange: str
    symbol: str
    action: Literal["BUY", "SELL"]
    product: str
    price_type: str
    units: int
    price: Decimal | None
    trigger_price: Decimal | None
    word: Word
    raw_status: str
    filled_units: int | None = None
    average_price: Decimal | None = None
    reason: str = ""
    placed_at: str = ""


@dataclass(frozen=True, slots=True)
class BookTrade:
    """One row of the trade book: `units` traded at `price` rupees."""

    broker_order_id: str
    exchange: str
    symbol: str
    action: Literal["BUY", "SELL"]
    product: str
    units: int
    price: Decimal
    traded_at: str = ""


@dataclass(frozen=True, slots=True)
class BookPosition:
    """Net of one instrument and product; units signed, + long."""

    exchange: str
    symbol: str
    product: str
    units: int
    average_price: Decimal | None
    last_price: Decimal | None
    pnl: Decimal | None


@dataclass(frozen=True, slots=True)
class BookHolding:
    """Shares in the depository, as the broker reports them. None where it says nothing: few brokers tell average and price."""

    exchange: str
    symbol: str
    product: str
    units: int
    average_price: Decimal | None
    last_price: Decimal | None
    value: Decimal | None
    pnl: Decimal | None
    pnl_percent: Decimal | None


@dataclass(frozen=True, slots=True)
class Holdings:
    """The rows, and the broker's own totals in rupees: they are shown as reported, never derived."""

    rows: list[BookHolding]
    value: Decimal | None
    invested: Decimal | None
    pnl: Decimal | None
    pnl_percent: Decimal | None


@dataclass(frozen=True, slots=True)
class Funds:
    """Rupees. None where the broker said nothing readable."""

    available_cash: Decimal
    collateral: Decimal | None
    used: Decimal | None
    realised: Decimal | None
    unrealised: Decimal | None


@dataclass(frozen=True, slots=True)
class MarginPosition:
    """One leg of a basket whose margin is asked. `price` 0 asks at the market."""

    exchange: str
    symbol: str
    action: Literal["BUY", "SELL"]
    product: Product
    units: int
    price: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class BasketMargin:
    """What the broker would block for the basket, in rupees. Parts are None where it does not say them."""

    total: Decimal
    span: Decimal | None
    exposure: Decimal | None


@dataclass(frozen=True, slots=True)
class RestQuote:
    exchange: str
    symbol: str
    last_price: Decimal
    bid: Decimal | None
    ask: Decimal | None
    open_interest: int | None
    volume: int | None
    prev_close: Decimal | None


@dataclass(frozen=True, slots=True)
class ListedInstrument:
    """One row of a broker's contract list. `freeze_units` None means the broker does not know it."""

    exchange: str
    symbol: str
    name: str
    kind: str
    expiry: str
    strike: Decimal | None
    lot_units: int
    tick: Decimal
    freeze_units: int | None


@dataclass(frozen=True, slots=True)
class HistoryBar:
    """One candle of the broker's history; `at` is its start, rupees per unit."""

    at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int | None
    open_interest: int | None


@dataclass(frozen=True, slots=True)
class OrderTicket:
    """What goes on the wire for one order. Prices are already on tick; units, not lots."""

    exchange: str
    symbol: str
    action: Literal["BUY", "SELL"]
    product: Product
    price_type: PriceType
    units: int
    price: Decimal
    trigger_price: Decimal
    label: str = "algomirror"


class Verdict(StrEnum):
    """What a reply to an order call proves."""

    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"
    NOT_SENT = "NOT_SENT"
    UNKNOWN = "UNKNOWN"
    QUEUED = "QUEUED"


@dataclass(frozen=True, slots=True)
class OrderReply:
    """The classified outcome of place, modify or cancel.

    `mode` is the world the server says it acted in; a surprise there halts the account.
    """

    verdict: Verdict
    broker_order_id: str | None = None
    text: str = ""
    mode: Literal["LIVE", "PAPER"] | None = None
    http_status: int | None = None
    key_refused: bool = False


@dataclass(frozen=True, slots=True)
class RawReply:
    """What came back before anyone judged it. `body` is parsed JSON, or None when it is none."""

    http_status: int
    body: Any
    text: str = ""


@dataclass(frozen=True, slots=True)
class NoReply:
    """No complete answer. `reached` False proves that nothing was sent."""

    reached: bool
    text: str
    timed_out: bool = False
    over_budget: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answers at this host under this key."""

    broker: str
    mode: Literal["LIVE", "PAPER"] | None
    extras: dict[str, Any] = field(default_factory=dict)
