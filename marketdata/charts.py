"""What the chart page draws: candles of an instrument or of a combined premium, overlays, own fills. Always bounded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops import hooks
from marketdata import candles, selectors
from marketdata.domain.candles import TIMEFRAMES, Candle
from marketdata.domain.supertrend import supertrend

MOST_LEGS = 6
MOST_RATIO = 99
MOST_MARKS = 200
OVERLAYS = ("supertrend", "ema", "rsi", "atr", "vwap")
EMA_PERIOD, RSI_PERIOD, ATR_PERIOD = 20, 14, 14


@dataclass(frozen=True, slots=True)
class ChartLeg:
    key: str
    action: Literal["BUY", "SELL"]
    ratio: int = 1

    @property
    def text(self) -> str:
        return f"{self.key}:{self.action}:{self.ratio}"


@dataclass(frozen=True, slots=True)
class Chart:
    """One leg is its price; several are a premium, signed as a credit or a debit structure."""

    legs: tuple[ChartLeg, ...]
    timeframe: int = 5
    days: int = 1
    overlays: tuple[str, ...] = ("supertrend",)
    period: int = 10
    multiplier: Decimal = Decimal(3)
    side: Literal["CREDIT", "DEBIT"] = "CREDIT"

    @property
    def is_premium(self) -> bool:
        return len(self.legs) > 1

    @property
    def weights(self) -> dict[str, Decimal]:
        """What each leg counts: sold legs of a credit structure and bought legs of a debit structure are positive."""
        found: dict[str, Decimal] = {}
        for leg in self.legs:
            positive = (leg.action == "SELL") == (self.side == "CREDIT")
            found[leg.key] = found.get(leg.key, Decimal(0)) + (leg.ratio if positive else -leg.ratio)
        return found if self.is_premium else {self.legs[0].key: Decimal(1)}

    @property
    def topic(self) -> str:
        return "symbols:" + ",".join(dict.fromkeys(leg.key for leg in self.legs))


def parse_legs(text: str) -> tuple[ChartLeg, ...]:
    """`NFO:A:SELL:1,NFO:B:BUY:2`; action and ratio may be left out. Refused for what the instrument list does not have."""
    parts = [part for part in text.split(",") if part]
    if not 1 <= len(parts) <= MOST_LEGS:
        raise Refused(f"A chart has 1 to {MOST_LEGS} legs.", fields={"legs": "count"})
    legs = tuple(_leg(part) for part in parts)
    exchanges = {leg.key.partition(":")[0] for leg in legs}
    if len(exchanges) > 1:
        raise Refused("The legs of a premium trade on one exchange.", fields={"legs": "exchange"})
    for leg in legs:
        exchange, _, symbol = leg.key.partition(":")
        if selectors.instrument(exchange, symbol) is None:
            raise Refused(f"{leg.key} is not in the instrument list.", fields={"legs": "unknown"})
    return legs


def _leg(part: str) -> ChartLeg:
    exchange, symbol, action, ratio = [*part.split(":"), "", "", ""][:4]
    action, ratio = action.upper() or "SELL", ratio or "1"
    if part.count(":") > 3 or action not in ("BUY", "SELL") or not ratio.isdecimal() or not 1 <= int(ratio) <= MOST_RATIO:
        raise Refused("A leg is EXCHANGE:SYMBOL:BUY or SELL:RATIO.", fields={"legs": "malformed"})
    return ChartLeg(f"{exchange}:{symbol}", "BUY" if action == "BUY" else "SELL", int(ratio))


def read(chart: Chart, now: datetime) -> dict[str, Any]:
    """Everything of the chart as JSON; prices as exact text, times as epoch seconds."""
    if chart.timeframe not in TIMEFRAMES:
        raise Refused("That interval is not offered.", fields={"timeframe": "unknown"})
    found = (
        candles.premium(chart.weights, chart.timeframe, chart.days, now)
        if chart.is_premium
        else candles.series(chart.legs[0].key, chart.timeframe, chart.days, now)
    )
    return {
        "candles": [_drawn(candle) for candle in found],
        "overlays": overlays(chart, found),
        "marks": marks(chart, found),
        "coverage": coverage(found),
        "weights": {key: str(weight) for key, weight in chart.weights.items()},
        "timeframe": chart.timeframe,
    }


def _drawn(candle: Candle) -> dict[str, Any]:
    return {
        "t": int(candle.opens_at.timestamp()),
        "o": str(candle.open),
        "h": str(candle.high),
        "l": str(candle.low),
        "c": str(candle.close),
        "v": candle.volume,
        "source": candle.source,
        "covered": candle.covered_percent,
        "closed": candle.is_closed,
        "carried": candle.carried,
    }


def coverage(found: Sequence[Candle]) -> dict[str, int]:
    """How many closed candles come from where, and how many were not watched whole."""
    closed = [candle for candle in found if candle.is_closed]
    counted = {source: sum(candle.source == source for candle in closed) for source in ("TICKS", "HISTORY", "MIXED")}
    return {**counted, "thin": sum(candle.covered_percent < 100 for candle in closed), "closed": len(closed)}


def overlays(chart: Chart, found: Sequence[Candle]) -> dict[str, Any]:
    drawn: dict[str, Any] = {}
    if "supertrend" in chart.overlays:
        lines = supertrend(((c.high, c.low, c.close) for c in found), chart.period, chart.multiplier)
        drawn["supertrend"] = [
            None if trend is None else {"v": f"{trend.line:.2f}", "up": trend.direction == "UP"} for trend in lines
        ]
    if wanted := [name for name in chart.overlays if name in ("ema", "rsi", "atr")]:
        drawn.update(_indicators(wanted, found))
    if "vwap" in chart.overlays:
        drawn["vwap"] = _vwap(found)
    return drawn


def _indicators(names: Iterable[str], found: Sequence[Candle]) -> dict[str, list[str | None]]:
    """TA-Lib and numpy are loaded with the first chart that wants them, not with every web process."""
    import numpy as np
    import talib

    if not found:
        return {name: [] for name in names}
    high, low, close = (np.array([float(getattr(c, part)) for c in found]) for part in ("high", "low", "close"))
    made = {
        "ema": lambda: talib.EMA(close, timeperiod=EMA_PERIOD),
        "rsi": lambda: talib.RSI(close, timeperiod=RSI_PERIOD),
        "atr": lambda: talib.ATR(high, low, close, timeperiod=ATR_PERIOD),
    }
    return {name: [None if value != value else f"{value:.2f}" for value in made[name]().tolist()] for name in names}


def _vwap(found: Sequence[Candle]) -> list[str | None]:
    """Volume-weighted price since each day's first candle; None while nothing has traded."""
    line: list[str | None] = []
    day, value, units = None, Decimal(0), 0
    for candle in found:
        if (today := candle.opens_at.astimezone(clock.IST).date()) != day:
            day, value, units = today, Decimal(0), 0
        if candle.volume:
            value += (candle.high + candle.low + candle.close) / 3 * candle.volume
            units += candle.volume
        line.append(f"{value / units:.2f}" if units else None)
    return line


def marks(chart: Chart, found: Sequence[Candle]) -> list[dict[str, Any]]:
    """Own fills of the legs, at the candle in which they happened."""
    if not found:
        return []
    fills = hooks.call("fills_of", [leg.key for leg in chart.legs], found[0].opens_at)
    starts = [int(candle.opens_at.timestamp()) for candle in found]
    drawn = []
    for fill in fills[-MOST_MARKS:]:
        at = int(fill["at"].timestamp())
        start = max((start for start in starts if start <= at), default=starts[0])
        drawn.append({"t": start, **{name: str(fill[name]) for name in ("action", "units", "price", "symbol", "account")}})
    return drawn
