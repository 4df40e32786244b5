"""How a quote travels to a browser."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from marketdata.domain.quotes import Quote


def tick(quote: Quote) -> dict[str, Any]:
    """Prices as exact text; `t` is when the price reached us and `x` the feed's own stamp of it, in epoch milliseconds.

    What is not known is absent.
    """
    fields: dict[str, Any] = {
        "l": str(quote.last_price),
        "t": int(quote.received_at.timestamp() * 1000),
        "s": quote.source.value,
        "b": None if quote.bid is None else str(quote.bid),
        "a": None if quote.ask is None else str(quote.ask),
        "bq": quote.bid_units,
        "aq": quote.ask_units,
        "oi": quote.open_interest,
        "v": quote.volume,
        "x": None if quote.exchange_at is None else int(quote.exchange_at.timestamp() * 1000),
    }
    return {name: value for name, value in fields.items() if value is not None}


def ticks(quotes: Iterable[Quote]) -> dict[str, str]:
    """Key -> its tick as JSON text, written once however many browsers take it."""
    return {quote.key: orjson.dumps(tick(quote)).decode() for quote in quotes}
