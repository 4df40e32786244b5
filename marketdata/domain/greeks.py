"""Black-76 at zero interest, for showing only. Plain floats: these numbers never become money.

A chain is under a hundred options, which plain Python values in a few milliseconds; numpy and scipy would cost
every web process tens of megabytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, exp, log, pi, sqrt

from marketdata.domain.symbols import OptionKind

LOWEST_VOL, HIGHEST_VOL = 0.001, 5.0
YEAR_S = 365.0 * 86_400
_STEPS = 60


@dataclass(frozen=True, slots=True)
class Greeks:
    """`iv` is a share per year (0.12 = 12 %), `theta` rupees per calendar day, `vega` rupees per vol point."""

    iv: float
    delta: float
    gamma: float
    theta: float
    vega: float


def _normal(x: float) -> float:
    return 0.5 * erfc(-x / sqrt(2.0))


def _density(x: float) -> float:
    return exp(-x * x / 2.0) / sqrt(2.0 * pi)


def price(kind: OptionKind, forward: float, strike: float, years: float, vol: float) -> float:
    """Undiscounted Black-76 premium."""
    spread = vol * sqrt(years)
    d1 = log(forward / strike) / spread + spread / 2.0
    d2 = d1 - spread
    if kind == "CE":
        return forward * _normal(d1) - strike * _normal(d2)
    return strike * _normal(-d2) - forward * _normal(-d1)


def implied_vol(kind: OptionKind, premium: float, forward: float, strike: float, years: float) -> float | None:
    """The volatility that gives this premium; None when none between 0.1 % and 500 % does."""
    if min(premium, forward, strike, years) <= 0.0:
        return None
    low, high = LOWEST_VOL, HIGHEST_VOL
    if not price(kind, forward, strike, years, low) <= premium <= price(kind, forward, strike, years, high):
        return None
    # Bisection: the price rises with volatility everywhere, so this cannot fail where Newton overshoots.
    for _ in range(_STEPS):
        middle = (low + high) / 2.0
        if price(kind, forward, strike, years, middle) < premium:
            low = middle
        else:
            high = middle
        if high - low < 1e-7:
            break
    return (low + high) / 2.0


def greeks(kind: OptionKind, premium: float, forward: float, strike: float, years: float) -> Greeks | None:
    """None when the premium implies no volatility: below intrinsic value, or no time left."""
    vol = implied_vol(kind, premium, forward, strike, years)
    if vol is None:
        return None
    spread = vol * sqrt(years)
    d1 = log(forward / strike) / spread + spread / 2.0
    density = _density(d1)
    return Greeks(
        iv=vol,
        delta=_normal(d1) if kind == "CE" else _normal(d1) - 1.0,
        gamma=density / (forward * spread),
        theta=-forward * density * vol / (2.0 * sqrt(years)) / 365.0,
        vega=forward * density * sqrt(years) / 100.0,
    )
