"""Fresh prices for plans, asked for once where the store has none."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from algomirror.kernel import clock
from marketdata import quotes as store
from marketdata import rest
from marketdata.domain.quotes import Quote


def fresh_quotes(keys: Iterable[str], *, ask: bool = True) -> dict[str, Quote]:
    """Fresh prices by key; the missing ones are asked for once. What is absent is unknown."""
    wanted = list(keys)
    found = store.fresh(wanted, clock.now())
    missing = [key for key in wanted if key not in found]
    if missing and ask:
        rest.refresh(missing)
        found = store.fresh(wanted, clock.now())
    return found


def quote_row(quote: Quote, now: datetime) -> dict[str, Any]:
    return {
        "price": str(quote.deciding_price),
        "bid": None if quote.bid is None else str(quote.bid),
        "ask": None if quote.ask is None else str(quote.ask),
        "source": quote.source.value,
        "age_ms": max(round(quote.age_s(now) * 1000), 0),
    }
