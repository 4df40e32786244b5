"""Made-up candles: reproducible per symbol and day, ending at the price that is quoted now."""

from __future__ import annotations

import zlib
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np

from simulator.black76 import Floats
from simulator.clock import IST
from simulator.instruments import Contract
from simulator.market import Quote
from simulator.sessions import is_trading_day, session

INTRADAY_MINUTES: dict[str, int] = {"1m": 1, "3m": 3, "5m": 5, "10m": 10, "15m": 15, "30m": 30, "1h": 60}
DAILY_VOL = {"INDEX": 0.008, "EQ": 0.014, "FUT": 0.008, "CE": 0.12, "PE": 0.12}
MAX_DAYS = 4000


def candles(
    contract: Contract, quote: Quote, interval: str, start: date, end: date, now: datetime, always_open: bool
) -> list[dict[str, Any]]:
    """Bars oldest first; `timestamp` is epoch seconds (daily bars: UTC midnight of the IST date)."""
    today = now.astimezone(IST).date()
    start = max(start, today - timedelta(days=MAX_DAYS))
    days = [d for d in _days(start, min(end, today)) if is_trading_day(d) or (always_open and d == today)]
    if not days:
        return []
    closes = _closes(contract, quote, days[0], today)
    bars: list[dict[str, Any]] = []
    for day in days:
        opened, closed = closes[day]
        bars += _day_bars(contract, day, opened, closed, interval, now if day == today else None)
    return bars


def _days(start: date, end: date) -> list[date]:
    span = (end - start).days + 1
    return [start + timedelta(days=i) for i in range(max(0, span))]


def _closes(contract: Contract, quote: Quote, first: date, today: date) -> dict[date, tuple[float, float]]:
    """(open, close) of every day back to `first`, walked backwards from yesterday's close."""
    found = {today: (quote.open, quote.ltp)}
    close = quote.prev_close
    day = today - timedelta(days=1)
    while day >= first:
        if is_trading_day(day):
            rng = _rng(contract, day)
            move = float(rng.standard_normal()) * DAILY_VOL[contract.kind]
            opened = max(close / (1.0 + move), 0.05)
            found[day] = (opened, close)
            close = max(opened * (1.0 + 0.1 * float(rng.standard_normal()) * DAILY_VOL[contract.kind]), 0.05)
        day -= timedelta(days=1)
    return found


def _day_bars(
    contract: Contract, day: date, opened: float, closed: float, interval: str, now: datetime | None
) -> list[dict[str, Any]]:
    hours = session(day) or (datetime(day.year, day.month, day.day, 9, 15, tzinfo=IST),) * 2
    minutes = max(int((hours[1] - hours[0]).total_seconds() // 60), 385)
    if now is not None:
        minutes = max(1, min(minutes, int((now - hours[0]).total_seconds() // 60) + 1))
    path = _bridge(contract, day, opened, closed, minutes)
    if interval == "D":
        at = int(datetime(day.year, day.month, day.day).replace(tzinfo=IST).timestamp()) + 19800
        return [_bar(contract, path, at)]
    width = INTRADAY_MINUTES[interval]
    first = int(hours[0].timestamp())
    return [_bar(contract, path[i : i + width + 1], first + i * 60) for i in range(0, minutes, width)]


def _bridge(contract: Contract, day: date, opened: float, closed: float, minutes: int) -> Floats:
    """Minute prices from `opened` to `closed`, minutes + 1 of them."""
    rng = _rng(contract, day)
    steps = rng.standard_normal(minutes) * DAILY_VOL[contract.kind] / np.sqrt(375.0)
    walk = np.concatenate(([0.0], np.cumsum(steps)))
    share = np.linspace(0.0, 1.0, minutes + 1)
    level = opened + (closed - opened) * share
    path: Floats = np.maximum(level * (1.0 + walk - walk[-1] * share), 0.05)
    return path


def _bar(contract: Contract, path: Floats, at: int) -> dict[str, Any]:
    index = contract.kind == "INDEX"
    rounded = [round(float(p), 2) if index else round(round(float(p) / 0.05) * 0.05, 2) for p in path]
    volume = 0 if index else contract.lot * (100 + at // 60 % 400) * max(len(rounded) - 1, 1)
    return {
        "close": rounded[-1],
        "high": max(rounded),
        "low": min(rounded),
        "oi": 1_000_000 if contract.expiry is not None else 0,
        "open": rounded[0],
        "timestamp": at,
        "volume": volume,
    }


def _rng(contract: Contract, day: date) -> np.random.Generator:
    return np.random.default_rng([zlib.crc32(f"{contract.exchange}:{contract.symbol}".encode()), day.toordinal()])
