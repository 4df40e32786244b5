"""Market state and index prices, in the words of the header."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from marketdata import calendar
from marketdata.domain import sessions
from marketdata.domain.quotes import Quote
from marketdata.domain.sessions import MarketState

EXCHANGES = ("NFO", "BFO")


def markets(now: datetime) -> list[dict[str, Any]]:
    """One entry per different state: exchanges that say the same share it ("NFO, BFO")."""
    found: list[dict[str, Any]] = []
    for exchange in EXCHANGES:
        state = calendar.market_state(exchange, now)
        row = {"exchange": exchange, "label": label(state), "open": state.is_open}
        same = next((one for one in found if one["label"] == row["label"] and one["open"] == row["open"]), None)
        if same is None:
            found.append(row)
        else:
            same["exchange"] += f", {exchange}"
    return found


def label(state: MarketState) -> str:
    """Open until 15:40 · Closed, next Mon 09:15 · Holiday: name · the name of a special session."""
    if state.is_open:
        return f"{state.name or 'Open'} until {_time(state.closes_at)}"
    if state.reason == "HOLIDAY":
        return f"Holiday: {state.name}, next {_day_time(state.next_opens_at)}"
    if state.reason == "BEFORE_OPEN":
        return f"{state.name or 'Opens'} at {_time(state.opens_at)}"
    return f"Closed, next {_day_time(state.next_opens_at)}"


def _time(at: datetime | None) -> str:
    return "unknown" if at is None else f"{sessions.local(at):%H:%M}"


def _day_time(at: datetime | None) -> str:
    return "opening unknown" if at is None else f"{sessions.local(at):%a %H:%M}"


def indices(keys: Mapping[str, str], quotes: Mapping[str, Quote]) -> list[dict[str, Any]]:
    """Last price and change since yesterday's close; None where it is not known."""
    return [_index(symbol, key, quotes.get(key)) for symbol, key in keys.items()]


def _index(symbol: str, key: str, quote: Quote | None) -> dict[str, Any]:
    change = None if quote is None or quote.prev_close is None else quote.last_price - quote.prev_close
    share: Decimal | None = None
    if change is not None and quote is not None and quote.prev_close:
        share = change / quote.prev_close * 100
    return {
        "symbol": symbol,
        "exchange": key.partition(":")[0],
        "key": key,
        "ltp": None if quote is None else quote.last_price,
        "change": change,
        "change_percent": share,
        "received_ms": None if quote is None else epoch_ms(quote.received_at),
    }


def epoch_ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
