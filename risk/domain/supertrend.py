"""Supertrend bar by bar: Wilder's range from a mean seed, strict comparisons, the first line above the price.

The arithmetic is written in the very order of the compiled form (risk.signals.kernel), so that both give the same floats.
Warm-up: the first true range is high - low, the first average stands on bar number `period`, there the direction is DOWN.
TA-Lib's ATR leaves the first bar out (it has no previous close) and so begins one bar later; both converge.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from math import nan
from typing import NamedTuple


class Direction(StrEnum):
    UP = "UP"
    DOWN = "DOWN"


class Trend(NamedTuple):
    atr: float
    upper: float
    lower: float
    line: float
    direction: Direction


class Supertrend:
    """Feed closed bars, oldest first; each `push` is O(1) and answers None until `period` bars were seen."""

    __slots__ = ("_atr", "_bars", "_close", "_is_up", "_lower", "_multiplier", "_period", "_sum", "_upper")

    def __init__(self, period: int, multiplier: float) -> None:
        if period < 1:
            raise ValueError("a period is at least 1")
        self._period, self._multiplier = period, multiplier
        self._bars, self._sum = 0, 0.0
        self._atr = self._upper = self._lower = self._close = nan
        self._is_up = False

    def push(self, high: float, low: float, close: float) -> Trend | None:
        self._bars = bars = self._bars + 1
        before, self._close = self._close, close
        reach = high - low
        if bars > 1:
            up, down = abs(high - before), abs(low - before)
            reach = up if up > reach else reach
            reach = down if down > reach else reach
        period = self._period
        if bars <= period:
            self._sum += reach
            if bars < period:
                return None
            atr = self._sum / period
        else:
            atr = (self._atr * (period - 1) + reach) / period
        middle, far = (high + low) / 2.0, self._multiplier * atr
        upper, lower = middle + far, middle - far
        if bars > period:
            if not (upper < self._upper or before > self._upper):
                upper = self._upper
            if not (lower > self._lower or before < self._lower):
                lower = self._lower
            self._is_up = not close < lower if self._is_up else close > upper
        self._atr, self._upper, self._lower = atr, upper, lower
        if self._is_up:
            return Trend(atr, upper, lower, lower, Direction.UP)
        return Trend(atr, upper, lower, upper, Direction.DOWN)


def batch(bars: Iterable[tuple[float, float, float]], period: int, multiplier: float) -> list[Trend | None]:
    """One entry per bar (high, low, close), oldest first."""
    one = Supertrend(period, multiplier)
    return [one.push(*bar) for bar in bars]


def bars_to_be_ready(period: int) -> int:
    return period + 5
