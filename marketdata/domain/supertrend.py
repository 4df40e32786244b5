"""Supertrend with Wilder's average true range. Strict comparisons; the first bar that has a line points DOWN."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Direction(StrEnum):
    UP = "UP"
    DOWN = "DOWN"


@dataclass(frozen=True, slots=True)
class Trend:
    atr: Decimal
    upper: Decimal
    lower: Decimal
    direction: Direction

    @property
    def line(self) -> Decimal:
        return self.lower if self.direction is Direction.UP else self.upper


Bar = tuple[Decimal, Decimal, Decimal]  # high, low, close


def supertrend(bars: Iterable[Bar], period: int, multiplier: Decimal) -> list[Trend | None]:
    """One entry per bar, oldest first; None until `period` bars are there."""
    found: list[Trend | None] = []
    ranges: list[Decimal] = []
    before: Trend | None = None
    last_close: Decimal | None = None
    for high, low, close in bars:
        ranges.append(_true_range(high, low, last_close))
        if len(ranges) >= period:
            atr = sum(ranges[-period:], Decimal(0)) / period if before is None else _smoothed(before.atr, ranges[-1], period)
            before = _next(before, (high, low, close), last_close, atr, multiplier)
            found.append(before)
        else:
            found.append(None)
        last_close = close
    return found


def _true_range(high: Decimal, low: Decimal, last_close: Decimal | None) -> Decimal:
    if last_close is None:
        return high - low
    return max(high - low, abs(high - last_close), abs(low - last_close))


def _smoothed(atr: Decimal, latest: Decimal, period: int) -> Decimal:
    return (atr * (period - 1) + latest) / period


def _next(before: Trend | None, bar: Bar, last_close: Decimal | None, atr: Decimal, multiplier: Decimal) -> Trend:
    high, low, close = bar
    middle, reach = (high + low) / 2, multiplier * atr
    upper, lower = middle + reach, middle - reach
    if before is None or last_close is None:
        return Trend(atr, upper, lower, Direction.DOWN)
    if not (upper < before.upper or last_close > before.upper):
        upper = before.upper
    if not (lower > before.lower or last_close < before.lower):
        lower = before.lower
    direction = before.direction
    if direction is Direction.DOWN and close > upper:
        direction = Direction.UP
    elif direction is Direction.UP and close < lower:
        direction = Direction.DOWN
    return Trend(atr, upper, lower, direction)
