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


# One bar waits for the one before it at a multiplication, an addition, a division and the bands. Four stretches side by side
# keep the processor busy meanwhile. A stretch begins with a guess made from this many periods before it, which time makes
# equal to the true state to the last bit; that it is equal is checked, and as far as it is not, it is drawn again.
LANES, WARM_PERIODS = 4, 64

State = tuple[float, float, float, bool]


@njit(cache=True, nogil=True)
def _reach(high: Floats, low: Floats, close: Floats, i: int) -> float:
    h, lo, before = high[i], low[i], close[i - 1]
    reach: float = max(max(h - lo, abs(h - before)), abs(lo - before))
    return reach


@njit(cache=True, nogil=True)
def _begin(high: Floats, low: Floats, i: int, atr: float, multiplier: float) -> State:
    middle, far = (high[i] + low[i]) / 2.0, multiplier * atr
    return atr, middle + far, middle - far, False


@njit(cache=True, nogil=True)
def _step(high: Floats, low: Floats, close: Floats, i: int, state: State, kept: float, whole: float, multiplier: float) -> State:
    atr, upper, lower, is_up = state
    h, lo, c, before = high[i], low[i], close[i], close[i - 1]
    atr = (atr * kept + _reach(high, low, close, i)) / whole
    middle, far = (h + lo) * 0.5, multiplier * atr
    new_upper, new_lower = middle + far, middle - far
    # Bitwise, so that nothing branches: directions of prices cannot be predicted.
    upper = new_upper if (new_upper < upper) | (before > upper) else upper
    lower = new_lower if (new_lower > lower) | (before < lower) else lower
    return atr, upper, lower, (is_up & (c >= lower)) | ((not is_up) & (c > upper))


@njit(cache=True, nogil=True)
def _put(line: Floats, way: Ways, i: int, state: State) -> None:
    _, upper, lower, is_up = state
    line[i] = lower if is_up else upper
    way[i] = 2 * is_up - 1


@njit(cache=True, nogil=True)
def _guess(high: Floats, low: Floats, close: Floats, before: int, period: int, multiplier: float) -> State:
    begin, kept, whole = before - WARM_PERIODS * period, float(period - 1), float(period)
    state = _begin(high, low, begin, _reach(high, low, close, begin), multiplier)
    for i in range(begin + 1, before):
        state = _step(high, low, close, i, state, kept, whole, multiplier)
    return state


@njit(cache=True, nogil=True)
def _stretches(
    high: Floats,
    low: Floats,
    close: Floats,
    begin: int,
    size: int,
    first: State,
    period: int,
    multiplier: float,
    line: Floats,
    way: Ways,
) -> State:
    """Four stretches of `size` bars each from `begin` on, after state `first`; the state of their last bar."""
    kept, whole = float(period - 1), float(period)
    starts = (begin + size, begin + 2 * size, begin + 3 * size)
    a, b = first, _guess(high, low, close, starts[0], period, multiplier)
    c, d = _guess(high, low, close, starts[1], period, multiplier), _guess(high, low, close, starts[2], period, multiplier)
    guesses = (b, c, d)
    for i in range(begin, begin + size):
        a = _step(high, low, close, i, a, kept, whole, multiplier)
        b = _step(high, low, close, i + size, b, kept, whole, multiplier)
        c = _step(high, low, close, i + 2 * size, c, kept, whole, multiplier)
        d = _step(high, low, close, i + 3 * size, d, kept, whole, multiplier)
        _put(line, way, i, a)
        _put(line, way, i + size, b)
        _put(line, way, i + 2 * size, c)
        _put(line, way, i + 3 * size, d)
    true, ends = a, (b, c, d)
    for k in range(LANES - 1):
        guess = guesses[k]
        for i in range(starts[k], starts[k] + size):
            if true == guess:
                break
            true = _step(high, low, close, i, true, kept, whole, multiplier)
            guess = _step(high, low, close, i, guess, kept, whole, multiplier)
            _put(line, way, i, true)
        # Where they met, the rest was drawn right, and so is its end.
        if true == guess:
            true = ends[k]
    return true


@njit(cache=True, nogil=True)
def _draw(high: Floats, low: Floats, close: Floats, period: int, multiplier: float, line: Floats, way: Ways) -> None:
    n, total = close.size, 0.0
    for i in range(min(period, n)):
        total += _reach(high, low, close, i) if i else high[i] - low[i]
        line[i], way[i] = np.nan, 0
    if n < period:
        return
    state, begin = _begin(high, low, period - 1, total / period, multiplier), period
    _put(line, way, period - 1, state)
    size = (n - period) // LANES
    if size > 2 * WARM_PERIODS * period:
        state = _stretches(high, low, close, period, size, state, period, multiplier, line, way)
        begin += LANES * size
    for i in range(begin, n):
        state = _step(high, low, close, i, state, float(period - 1), float(period), multiplier)
        _put(line, way, i, state)


def _lines(high: Floats, low: Floats, close: Floats, period: int, multiplier: float) -> tuple[Floats, Ways]:
    # Made by numpy, which asks for large pages: a million bars else cost more in page faults than in arithmetic.
    line, way = np.empty(close.size, np.float64), np.empty(close.size, np.int8)
    _draw(high, low, close, period, float(multiplier), line, way)
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
    return _lines(high, low, close, period, multiplier)


def batch(bars: Sequence[tuple[float, float, float]], period: int, multiplier: float) -> list[Trend | None]:
    """As risk.domain.supertrend.batch, value for value."""
    if not bars:
        return []
    high, low, close = (np.array(column, np.float64) for column in zip(*bars, strict=True))
    line, way = _lines(high, low, close, period, multiplier)
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
