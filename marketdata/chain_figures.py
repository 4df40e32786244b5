"""What a watched chain shows beyond prices: computed once per chain by the feed, kept for the next page that opens it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import orjson
import redis

from algomirror.kernel import clock
from algomirror.ops.queue import client
from marketdata import calendar
from marketdata.domain.quotes import Quote
from marketdata.domain.symbols import Contract, take_apart
from marketdata.viewing import ChainTopic

if TYPE_CHECKING:
    from marketdata.domain.surface import Market, Surface

log = logging.getLogger(__name__)

Values = dict[str, str | int | None]

KEPT_S = 20
INTEREST_KEPT_S = 2 * 86_400
# A gamma is small: delta for one rupee of the underlying.
_PLACES = {"share": 1, "gamma": 5}
Grid = dict[Decimal, dict[str, str]]


def grid_of(keys: Iterable[str]) -> tuple[str, Grid]:
    """The derivative exchange and strike -> {"CE": key, "PE": key} of a session's symbols; the index is left out."""
    grid: Grid = {}
    exchange = ""
    for key in keys:
        listed_on, _, symbol = key.partition(":")
        contract = take_apart(symbol)
        if contract is None or not _is_option(contract) or contract.strike is None:
            continue
        exchange = listed_on
        grid.setdefault(contract.strike, {})[contract.kind] = key
    return exchange, dict(sorted(grid.items()))


def _is_option(contract: Contract) -> bool:
    return contract.kind in ("CE", "PE")


def compute(
    chain: ChainTopic, keys: Iterable[str], quotes: Mapping[str, Quote], first: Mapping[str, int], now: datetime
) -> Values:
    """The page's values by their cell keys. `first` is each contract's open interest when it was first seen today."""
    from marketdata.domain import greeks

    exchange, grid = grid_of(keys)
    if not grid:
        return {}
    close = calendar.session_close(exchange, chain.expiry)
    years = max((close - now).total_seconds(), 0.0) / greeks.YEAR_S if close else 0.0
    return values(grid, quotes, first, years)


def values(grid: Grid, quotes: Mapping[str, Quote], first: Mapping[str, int], years: float) -> Values:
    from marketdata.domain.surface import surface

    return _worded(grid, quotes, first, surface(_market(grid, quotes), years))


def _market(grid: Grid, quotes: Mapping[str, Quote]) -> Market:
    import numpy as np

    from marketdata.domain.surface import Market

    nan = float("nan")
    columns: list[list[list[float]]] = [[[], []] for _ in range(4)]
    for pair in grid.values():
        for row, kind in enumerate(("CE", "PE")):
            quote = quotes.get(pair.get(kind, ""))
            known = (None,) * 4 if quote is None else (quote.bid, quote.ask, quote.open_interest, quote.volume)
            for column, value in zip(columns, known, strict=True):
                column[row].append(nan if value is None else float(value))
    bid, ask, interest, volume = (np.array(column) for column in columns)
    return Market(np.array([float(strike) for strike in grid]), bid, ask, interest, volume)


def _worded(grid: Grid, quotes: Mapping[str, Quote], first: Mapping[str, int], found: Surface) -> Values:
    worded: Values = {
        "chain:pcr": _text(found.put_call_ratio),
        "chain:max_pain": _text(found.max_pain),
        "chain:forward": _text(found.forward),
        "chain:volume": None if found.volume != found.volume else int(found.volume),
    }
    shown = found.greeks
    for row, kind in enumerate(("CE", "PE")):
        told = {"share": found.oi_share, "iv": shown.iv * 100}
        told |= {"delta": shown.delta, "gamma": shown.gamma, "theta": shown.theta, "vega": shown.vega}
        figures = zip(*(column[row].tolist() for column in told.values()), strict=True)
        for pair, of_strike in zip(grid.values(), figures, strict=True):
            key = pair.get(kind)
            if key is None:
                continue
            for name, figure in zip(told, of_strike, strict=True):
                worded[f"{name}:{key}"] = _text(figure, _PLACES.get(name, 2))
            worded[f"doi:{key}"] = change(quotes.get(key), first.get(key))
    return worded


def change(quote: Quote | None, first: int | None) -> int | None:
    """Open interest now less that first seen today, in units."""
    if quote is None or quote.open_interest is None or first is None:
        return None
    return quote.open_interest - first


def _text(value: float, places: int = 2) -> str | None:
    return None if value != value else f"{value:.{places}f}"


def note_interest(quotes: Mapping[str, Quote], day: date, known: dict[str, int]) -> None:
    """Fill `known` with each contract's open interest first seen on `day`; the first process to see it decides for all."""
    fresh = [quote for key, quote in quotes.items() if key not in known and quote.open_interest is not None]
    if not fresh:
        return
    name = _interest_key(day)
    try:
        pipe = client().pipeline(transaction=False)
        for quote in fresh:
            # What was quoted on an earlier day is that day's interest, and no base for today's change.
            if clock.trading_day(quote.received_at) == day:
                pipe.hsetnx(name, quote.key, quote.open_interest or 0)
        pipe.expire(name, INTEREST_KEPT_S)
        pipe.execute()
    except (redis.RedisError, OSError) as error:
        log.warning("first interest not kept error=%s", type(error).__name__)
        return
    known.update(first_interest((quote.key for quote in fresh), day))


def first_interest(keys: Iterable[str], day: date) -> dict[str, int]:
    wanted = list(keys)
    if not wanted:
        return {}
    try:
        found = client().hmget(_interest_key(day), wanted)
    except (redis.RedisError, OSError):
        return {}
    return {key: int(raw) for key, raw in zip(wanted, found, strict=True) if raw is not None}


def _interest_key(day: date) -> str:
    return f"am:oi0:{day.isoformat()}"


def keep(topic: str, values: Values) -> None:
    try:
        client().set(f"am:chain:{topic}", orjson.dumps(values), ex=KEPT_S)
    except (redis.RedisError, OSError) as error:
        log.warning("chain figures not kept topic=%s error=%s", topic, type(error).__name__)


def kept(topic: str) -> Values:
    """What the feed computed for this chain in the last seconds; empty when nobody watches it yet."""
    try:
        raw = client().get(f"am:chain:{topic}")
    except (redis.RedisError, OSError):
        return {}
    found: Values = orjson.loads(raw) if raw else {}
    return found
