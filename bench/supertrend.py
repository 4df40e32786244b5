"""How fast Supertrend is: compiled over a million bars against the SDK and TA-Lib with pandas, and bar by bar in Python."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that the file runs by its path too

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import openalgo
import pandas as pd
import talib

from bench.figure import Figure, report
from risk.domain.supertrend import Supertrend
from risk.signals import kernel

BARS, PERIOD, MULTIPLIER, ROUNDS = 1_000_000, 10, 3.0, 9
TALIB_BARS = 1_000_000


def walk(n: int) -> tuple[np.ndarray[Any, Any], ...]:
    made = np.random.default_rng(7)
    close = 100.0 + np.cumsum(made.normal(0, 0.4, n))
    open_ = np.concatenate(([close[0]], close[:-1]))
    high = np.maximum(open_, close) + made.random(n) * 0.5
    low = np.minimum(open_, close) - made.random(n) * 0.5
    return high, low, close


def best_ms(work: Callable[[], Any], rounds: int = ROUNDS) -> float:
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return min(taken) * 1000


def with_talib(high: pd.Series, low: pd.Series, close: pd.Series) -> pd.Series:
    """The way it is usually written: TA-Lib for the range, pandas columns, a loop over rows for the bands."""
    atr = pd.Series(talib.ATR(high.to_numpy(), low.to_numpy(), close.to_numpy(), timeperiod=PERIOD))
    middle = (high + low) / 2
    upper, lower = (middle + MULTIPLIER * atr).to_numpy().copy(), (middle - MULTIPLIER * atr).to_numpy().copy()
    price = close.to_numpy()
    up = np.zeros(len(price), dtype=bool)
    for i in range(PERIOD + 1, len(price)):
        if not (upper[i] < upper[i - 1] or price[i - 1] > upper[i - 1]):
            upper[i] = upper[i - 1]
        if not (lower[i] > lower[i - 1] or price[i - 1] < lower[i - 1]):
            lower[i] = lower[i - 1]
        up[i] = price[i] >= lower[i] if up[i - 1] else price[i] > upper[i]
    return pd.Series(np.where(up, lower, upper))


def main() -> int:
    high, low, close = walk(BARS)
    kernel.warm_up()
    line, way = kernel.lines(high, low, close, PERIOD, MULTIPLIER)
    theirs, direction = openalgo.ta.supertrend(high, low, close, PERIOD, MULTIPLIER)
    same = np.array_equal(line, theirs, equal_nan=True) and np.array_equal(
        way[PERIOD - 1 :].astype(float), -direction[PERIOD - 1 :]
    )
    ours_ms = best_ms(lambda: kernel.lines(high, low, close, PERIOD, MULTIPLIER))
    sdk_ms = best_ms(lambda: openalgo.ta.supertrend(high, low, close, PERIOD, MULTIPLIER))
    series = [pd.Series(column[:TALIB_BARS]) for column in (high, low, close)]
    talib_ms = best_ms(lambda: with_talib(*series), 1) * BARS / TALIB_BARS
    rows = list(zip(high[:200_000].tolist(), low[:200_000].tolist(), close[:200_000].tolist(), strict=True))

    def one_by_one() -> None:
        push = Supertrend(PERIOD, MULTIPLIER).push
        for h, lo, c in rows:
            push(h, lo, c)

    step_us = best_ms(one_by_one, 5) * 1000 / len(rows)
    name = "supertrend"
    return report(
        [
            Figure(name, "one million bars, compiled and warm", round(ours_ms, 2), "ms", 10, "lower"),
            Figure(name, "the SDK's indicator, same bars", round(sdk_ms, 2), "ms", None, "lower"),
            Figure(name, "times faster than the SDK", round(sdk_ms / ours_ms, 1), "x", 6, "higher"),
            Figure(name, "times faster than TA-Lib with pandas", round(talib_ms / ours_ms, 1), "x", 6, "higher"),
            Figure(name, "values equal to the SDK's exactly", float(same), "bool", 1, "higher"),
            Figure(name, "one bar more, plain Python", round(step_us, 3), "us", 2, "lower"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
