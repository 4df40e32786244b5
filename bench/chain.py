"""How long a chain of 41 strikes takes: the numbers alone, and from stored quotes to the texts that browsers get."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that the file runs by its path too

import os
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np

from bench.figure import Figure, report

NAME = "chain"
ROUNDS = 2_000
STRIKES = 41
EXPIRY = date(2026, 12, 1)


def timed(act: Callable[[], object], rounds: int = ROUNDS) -> tuple[float, float]:
    """Median and 99th percentile in milliseconds."""
    act()
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        act()
        took.append((time.perf_counter() - began) * 1000)
    took.sort()
    return took[rounds // 2], took[int(rounds * 0.99)]


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "algomirror.settings")
    import django

    django.setup()
    from marketdata import chain_figures
    from marketdata.domain import greeks
    from marketdata.domain.quotes import Quote, Source
    from marketdata.domain.surface import Market, surface
    from marketdata.domain.symbols import option_symbol

    rng = np.random.default_rng(7)
    strikes = np.arange(25_000.0, 25_000.0 + 50 * STRIKES, 50.0)
    both = np.concatenate([strikes, strikes])
    years, forward = 11 / 365, 26_010.0
    is_call = np.arange(both.size) < STRIKES
    fair = greeks.price(is_call, forward, both, years, 0.13 + (both / forward - 1.0) ** 2 * 5.0).reshape(2, -1)
    mids = np.maximum(np.round(fair / 0.05) * 0.05, 0.1)
    interest = rng.integers(1, 1_000_000, mids.shape).astype(float)
    market = Market(strikes, mids - 0.05, mids + 0.05, interest, interest * 2)
    numbers = timed(lambda: surface(market, years))

    now = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
    grid: chain_figures.Grid = {}
    quotes: dict[str, Quote] = {}
    for at, strike in enumerate(strikes.tolist()):
        for row, kind in enumerate(("CE", "PE")):
            key = "NFO:" + option_symbol("NIFTY", EXPIRY, Decimal(int(strike)), "CE" if kind == "CE" else "PE")
            grid.setdefault(Decimal(int(strike)), {})[kind] = key
            price = Decimal(f"{mids[row, at]:.2f}")
            half = Decimal("0.05")
            units = int(interest[row, at])
            quotes[key] = Quote(key, price, now, Source.STREAM, price - half, price + half, 65, 65, units, units * 2)
    whole = timed(lambda: chain_figures.values(grid, quotes, {}, years), rounds=500)
    return report(
        [
            Figure(NAME, "82 options recomputed, median", round(numbers[0], 3), "ms", 1.0, "lower"),
            Figure(NAME, "82 options recomputed, p99", round(numbers[1], 3), "ms", None, "lower"),
            Figure(NAME, "from 82 quotes to the texts of browsers, median", round(whole[0], 3), "ms", None, "lower"),
            Figure(NAME, "from 82 quotes to the texts of browsers, p99", round(whole[1], 3), "ms", None, "lower"),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
