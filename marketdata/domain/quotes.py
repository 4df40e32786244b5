"""A price with its source and age, and the one rule that says whether it may decide."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from algomirror.kernel import clock


class Source(StrEnum):
    STREAM = "STREAM"
    REST = "REST"


# The clocks of two processes differ by less.
AHEAD_S = 5.0


class Freshness(StrEnum):
    FRESH = "FRESH"
    STALE = "STALE"
    NONE = "NONE"


@dataclass(frozen=True, slots=True)
class Quote:
    """The newest accepted price of one instrument.

    Rupees per unit. `received_at` is when the price reached us; copying never makes it younger.
    `exchange_at` is the exchange's own time when the feed gives one. `prev_close` is the close before the trading day on
    which the quote was received; of any other day it says nothing.
    """

    key: str  # "EXCHANGE:SYMBOL"
    last_price: Decimal
    received_at: datetime
    source: Source
    bid: Decimal | None = None
    ask: Decimal | None = None
    bid_units: int | None = None
    ask_units: int | None = None
    open_interest: int | None = None
    volume: int | None = None
    prev_close: Decimal | None = None
    exchange_at: datetime | None = None

    def age_s(self, now: datetime) -> float:
        return (now - self.received_at).total_seconds()

    def is_ahead(self, now: datetime) -> bool:
        """Received in the future: the clock was set back since, and nobody knows how old it is."""
        return self.age_s(now) < -AHEAD_S

    def close_before(self, day: date) -> Decimal | None:
        """The close before this trading day; None where nobody named it, or the quote is of another day."""
        if self.prev_close is None or clock.trading_day(self.received_at) != day:
            return None
        return self.prev_close

    @property
    def deciding_price(self) -> Decimal:
        """The last trade, unless it lies outside the present bid-ask: then the nearer of the two."""
        if self.bid is not None and self.ask is not None and self.bid <= self.ask:
            return min(max(self.last_price, self.bid), self.ask)
        return self.last_price


@dataclass(frozen=True, slots=True)
class Bounds:
    """How old a price may be and still decide, in seconds, by source."""

    stream_s: float
    rest_s: float


def freshness(quote: Quote | None, now: datetime, bounds: Bounds) -> Freshness:
    """FRESH decides, STALE is shown with its age, NONE is unknown. A price from the future is not trusted."""
    if quote is None:
        return Freshness.NONE
    bound = bounds.stream_s if quote.source is Source.STREAM else bounds.rest_s
    return Freshness.STALE if quote.is_ahead(now) or quote.age_s(now) > bound else Freshness.FRESH


def fresh_or_none(quote: Quote | None, now: datetime, bounds: Bounds) -> Quote | None:
    return quote if freshness(quote, now, bounds) is Freshness.FRESH else None
