"""What a frame says, without the wire: tolerant of every broker's dialect, strict about prices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from algomirror.kernel.money import parse_decimal, parse_quantity

# Epoch numbers above this are milliseconds: as seconds they would lie in the year 5138.
MILLISECONDS_FROM = 100_000_000_000
# On these brokers the stream's "close" is today's, not the previous day's.
CLOSE_IS_TODAYS = frozenset({"upstox"})


@dataclass(frozen=True, slots=True)
class Book:
    """Best bid and ask of a depth frame; None where the side is empty."""

    bid: Decimal | None
    ask: Decimal | None
    bid_units: int | None
    ask_units: int | None


@dataclass(frozen=True, slots=True)
class Partial:
    """The usable part of one tick. None means that the frame did not say it. `last_price` None: it carries no price."""

    key: str
    last_price: Decimal | None = None
    book: Book | None = None
    open_interest: int | None = None
    volume: int | None = None
    prev_close: Decimal | None = None
    exchange_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Nonsense:
    """A tick whose price is zero, negative or no number: nothing of it is used."""

    key: str


def decode(raw: str | bytes) -> dict[str, Any] | None:
    """The frame as an object; None when it is none. Servers may write bare NaN, which strict parsers refuse."""
    frame: Any
    try:
        frame = orjson.loads(raw)
    except orjson.JSONDecodeError:
        try:
            frame = json.loads(raw)
        except (ValueError, RecursionError):
            return None
    return frame if isinstance(frame, dict) else None


def market_data(frame: Mapping[str, Any]) -> Partial | Nonsense | None:
    """One market_data frame; None when it names no instrument or holds no object."""
    data = frame.get("data")
    if not isinstance(data, Mapping):
        return None
    symbol = frame.get("symbol") or data.get("symbol")
    exchange = frame.get("exchange") or data.get("exchange")
    if not (isinstance(symbol, str) and symbol and isinstance(exchange, str) and exchange):
        return None
    key = f"{exchange}:{symbol}"
    price: Decimal | None = None
    if data.get("ltp") is not None:
        price = _price(data["ltp"])
        if price is None:
            return Nonsense(key)
    return Partial(
        key=key,
        last_price=price,
        book=_book(data.get("depth")),
        open_interest=_count(_first(data, "oi", "open_interest")),
        volume=_count(data.get("volume")),
        prev_close=_previous_close(data, frame.get("broker")),
        exchange_at=_time(_first(data, "timestamp", "ltt")),
    )


def _price(value: object) -> Decimal | None:
    number = parse_decimal(value)
    return number if number is not None and number > 0 else None


def _count(value: object) -> int | None:
    number = parse_quantity(value)
    return number if number is not None and number >= 0 else None


def _first(data: Mapping[str, Any], *names: str) -> Any:
    return next((data[name] for name in names if data.get(name) is not None), None)


def _book(depth: object) -> Book | None:
    if not isinstance(depth, Mapping):
        return None
    buy, sell = depth.get("buy"), depth.get("sell")
    if not isinstance(buy, list) or not isinstance(sell, list):
        return None
    bid, bid_units = _best(buy)
    ask, ask_units = _best(sell)
    return Book(bid, ask, bid_units, ask_units)


def _best(levels: list[Any]) -> tuple[Decimal | None, int | None]:
    """The first level; empty levels are padded with zeros."""
    top = levels[0] if levels and isinstance(levels[0], Mapping) else {}
    price = _price(top.get("price"))
    return (price, _count(top.get("quantity"))) if price is not None else (None, None)


def _previous_close(data: Mapping[str, Any], broker: object) -> Decimal | None:
    if (named := _price(data.get("prev_close"))) is not None:
        return named
    return None if broker in CLOSE_IS_TODAYS else _price(data.get("close"))


def _time(value: object) -> datetime | None:
    number = parse_decimal(value)
    if number is None or number <= 0:
        return None
    seconds = float(number) / 1000 if number >= MILLISECONDS_FROM else float(number)
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None
