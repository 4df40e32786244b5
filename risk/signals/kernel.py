"""Supertrend compiled: one pass over contiguous arrays. Imported by the signals cluster and benches only (numba is heavy)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numba import njit

from risk.domain.supertrend import Direction, Trend

Floats = npt.NDArray[np.float64]
Ways = npt.NDArray[np.int8]

UP, NONE, DOWN = 1, 0, -1


@njit(cache=True, nogil=True)
def _lines(high: Floats, low: Floats, close: Floats, period: int, multiplier: float) -> tuple[Floats, Ways]:
    n = close.size
    line, way = np.empty(n, np.float64), np.empty(n, np.int8)
    total = atr = upper = lower = before = 0.0
    for i in range(min(period, n)):
        reach = high[i] - low[i]
        if i:
            reach = max(reach, abs(high[i] - before), abs(low[i] - before))
        total += reach
        before = close[i]
        line[i], way[i] = np.nan, 0
    if n < period:
        return line, way
    atr = total / period
    last = period - 1
    middle, far = (high[last] + low[last]) / 2.0, multiplier * atr
    upper, lower = middle + far, middle - far
    line[last], way[last] = upper, -1
    is_up = False
    kept = float(period - 1)
    whole = float(period)
    for i in range(period, n):
        h, lo, c = high[i], low[i], close[i]
        reach = max(max(h - lo, abs(h - before)), abs(lo - before))
        atr = (atr * kept + reach) / whole
        middle, far = (h + lo) * 0.5, multiplier * atr
        new_upper, new_lower = middle + far, middle - far
        # Bitwise, so that nothing branches: directions of prices cannot be predicted.
        upper = new_upper if (new_upper < upper) | (before > upper) else upper
        lower = new_lower if (new_lower > lower) | (before < lower) else lower
        is_up = (is_up & (c >= lower)) | ((not is_up) & (c > upper))
        line[i] = lower if is_up else upper
        way[i] = 2 * is_up - 1
        before = c
    return line, way


@njit(cache=True, nogil=True)
def _bands(high: Floats, low: Floats, close: Floats, period: int, multiplier: float) -> tuple[Floats, Floats, Floats]:
    n = close.size
    atrs, uppers, lowers = np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.nan)
    total = atr = upper = lower = 0.0
    for i in range(n):
        reach = high[i] - low[i]
        before = close[i - 1] if i else close[i]
        if i:
            reach = max(reach, abs(high[i] - before), abs(low[i] - before))
        if i < period:
            total += reach
            if i < period - 1:
                continue
            atr = total / period
        else:
            atr = (atr * (period - 1) + reach) / period
        middle, far = (high[i] + low[i]) / 2.0, multiplier * atr
        if i < period or middle + far < upper or before > upper:
            upper = middle + far
        if i < period or middle - far > lower or before < lower:
            lower = middle - far
        atrs[i], uppers[i], lowers[i] = atr, upper, lower
    return atrs, uppers, lowers


def lines(high: Floats, low: Floats, close: Floats, period: int, multiplier: float) -> tuple[Floats, Ways]:
    """Line and direction (1 UP, -1 DOWN, 0 not yet) of every bar."""
    found: tuple[Floats, Ways] = _lines(high, low, close, period, float(multiplier))
    return found


def batch(bars: Sequence[tuple[float, float, float]], period: int, multiplier: float) -> list[Trend | None]:
    """As risk.domain.supertrend.batch, value for value."""
    if not bars:
        return []
    high, low, close = (np.array(column, np.float64) for column in zip(*bars, strict=True))
    line, way = _lines(high, low, close, period, float(multiplier))
    atr, upper, lower = _bands(high, low, close, period, float(multiplier))
    return [
        None
        if not way[i]
        else Trend(
            float(atr[i]), float(upper[i]), float(lower[i]), float(line[i]), Direction.UP if way[i] > 0 else Direction.DOWN
        )
        for i in range(len(bars))
    ]


def warm_up() -> None:
    """Compile, or load what was compiled before, so that no decision waits for it."""
    batch([(2.0, 1.0, 1.5)] * 3, 2, 3.0)
