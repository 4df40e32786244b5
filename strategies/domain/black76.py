"""Black-76 for one option, in plain floats: for choosing by delta and for drawing, never money.

The chain's arrays (marketdata.domain.greeks) need numpy and scipy, which no web process should load for a dozen legs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, exp, log, pi, sqrt

LOWEST_VOL, HIGHEST_VOL = 0.001, 5.0
YEAR_S = 365.0 * 86_400
_STEPS = 60


@dataclass(frozen=True, slots=True)
class Greeks:
    """Per unit: `theta` rupees per calendar day, `vega` rupees per vol point (0.01)."""

    delta: float
    gamma: float
    theta: float
    vega: float


def normal(x: float) -> float:
    return 0.5 * erfc(-x / sqrt(2.0))


def price(is_call: bool, forward: float, strike: float, years: float, vol: float) -> float:
    """Undiscounted premium; intrinsic value once no time or no volatility is left."""
    side = 1.0 if is_call else -1.0
    if years <= 0.0 or vol <= 0.0 or forward <= 0.0:
        return max(side * (forward - strike), 0.0)
    spread = vol * sqrt(years)
    d1 = log(forward / strike) / spread + spread / 2.0
    return side * (forward * normal(side * d1) - strike * normal(side * (d1 - spread)))


def implied_vol(is_call: bool, premium: float, forward: float, strike: float, years: float) -> float | None:
    """The volatility that gives this premium; None when none between 0.1 % and 500 % does."""
    if min(premium, forward, strike, years) <= 0.0:
        return None
    low, high = LOWEST_VOL, HIGHEST_VOL
    if not price(is_call, forward, strike, years, low) <= premium <= price(is_call, forward, strike, years, high):
        return None
    # Bisection: the price rises with volatility everywhere, so this cannot fail where Newton overshoots.
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        if price(is_call, forward, strike, years, middle) < premium:
            low = middle
        else:
            high = middle
        if high - low < 1e-7:
            break
    return (low + high) / 2.0


def greeks(is_call: bool, forward: float, strike: float, years: float, vol: float) -> Greeks:
    """All zero but delta once the option has expired."""
    if years <= 0.0 or vol <= 0.0 or forward <= 0.0:
        inside = forward > strike if is_call else forward < strike
        return Greeks((1.0 if is_call else -1.0) if inside else 0.0, 0.0, 0.0, 0.0)
    spread = vol * sqrt(years)
    d1 = log(forward / strike) / spread + spread / 2.0
    density = exp(-d1 * d1 / 2.0) / sqrt(2.0 * pi)
    return Greeks(
        delta=normal(d1) - (0.0 if is_call else 1.0),
        gamma=density / (forward * spread),
        theta=-forward * density * vol / (2.0 * sqrt(years)) / 365.0,
        vega=forward * density * sqrt(years) / 100.0,
    )
