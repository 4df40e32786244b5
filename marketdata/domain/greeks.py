"""Black-76 at zero interest over whole arrays, for showing only: floats, and these numbers never become money.

Imported by the process that computes chains; numpy and scipy would cost every web process tens of megabytes.
NaN means unknown, in and out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats: TypeAlias = NDArray[np.float64]

LOWEST_VOL, HIGHEST_VOL = 1e-4, 5.0
YEAR_S = 365.0 * 86_400
_MOST_STEPS = 40
_SMALL_STEP = 1e-11
_ROOT_TWO_PI = float(np.sqrt(2.0 * np.pi))


@dataclass(frozen=True, slots=True)
class Greeks:
    """`iv` is a share per year (0.12 = 12 %), `theta` rupees per calendar day, `vega` rupees per point of volatility."""

    iv: Floats
    delta: Floats
    gamma: Floats
    theta: Floats
    vega: Floats


def price(is_call: NDArray[np.bool_], forward: float, strikes: Floats, years: float, vol: Floats) -> Floats:
    """Undiscounted premiums."""
    sign = np.where(is_call, 1.0, -1.0)
    spread = vol * np.sqrt(years)
    d1 = np.log(forward / strikes) / spread + spread / 2.0
    return np.asarray(sign * (forward * ndtr(sign * d1) - strikes * ndtr(sign * (d1 - spread))))


def implied_vol(is_call: NDArray[np.bool_], premiums: Floats, forward: float, strikes: Floats, years: float) -> Floats:
    """The volatilities that give these premiums; NaN where none between 0.01 % and 500 % does.

    Solved on the out-of-the-money twin, which parity makes worth the time value: deep in the money the premium
    itself would lose the digits that matter.
    """
    if years <= 0.0 or not forward > 0.0:
        return np.full_like(premiums, np.nan)
    sign = np.where(is_call, 1.0, -1.0)
    twin_call = strikes >= forward
    worth = premiums - np.maximum(sign * (forward - strikes), 0.0)
    low, high = np.full_like(premiums, LOWEST_VOL), np.full_like(premiums, HIGHEST_VOL)
    bounded = (worth > price(twin_call, forward, strikes, years, low)) & (worth < price(twin_call, forward, strikes, years, high))
    worth = np.where(bounded, worth, np.nan)
    return np.where(bounded, _solve(worth, forward, strikes, years, low, high), np.nan)


def _solve(worth: Floats, forward: float, strikes: Floats, years: float, low: Floats, high: Floats) -> Floats:
    """Newton on the logarithm of the price, which is nearly straight in the wings, inside a closing bracket."""
    root = np.sqrt(years)
    moneyness = np.log(forward / strikes)
    sign = np.where(strikes >= forward, 1.0, -1.0)
    target = np.log(worth)
    # The point of inflection, or the straight-line estimate at the money, whichever is larger.
    vol = np.maximum(np.sqrt(2.0 * np.abs(moneyness) / years), worth * _ROOT_TWO_PI / (forward * root))
    vol = np.clip(vol, LOWEST_VOL * 2, HIGHEST_VOL / 2)
    for _ in range(_MOST_STEPS):
        spread = vol * root
        d1 = moneyness / spread + spread / 2.0
        value = np.maximum(sign * (forward * ndtr(sign * d1) - strikes * ndtr(sign * (d1 - spread))), 1e-300)
        vega = forward * np.exp(-d1 * d1 / 2.0) / _ROOT_TWO_PI * root
        gap = np.log(value) - target
        low, high = np.where(gap < 0, vol, low), np.where(gap < 0, high, vol)
        newton = vol - gap * value / np.maximum(vega, 1e-300)
        stepped = np.where((newton > low) & (newton < high), newton, (low + high) / 2.0)
        moved = np.abs(stepped - vol)
        vol = stepped
        if not (moved > _SMALL_STEP).any():
            break
    return np.asarray(vol)


def greeks(is_call: NDArray[np.bool_], premiums: Floats, forward: float, strikes: Floats, years: float) -> Greeks:
    """All greeks in one pass; NaN where the premium implies no volatility: below intrinsic value, or no time left."""
    with np.errstate(all="ignore"):
        vol = implied_vol(is_call, premiums, forward, strikes, years)
        root = float(np.sqrt(max(years, 0.0)))
        spread = vol * root
        d1 = np.log(forward / strikes) / spread + spread / 2.0
        density = np.exp(-d1 * d1 / 2.0) / _ROOT_TWO_PI
        reach: Any = ndtr(d1)
        return Greeks(
            iv=vol,
            delta=np.where(is_call, reach, reach - 1.0),
            gamma=density / (forward * spread),
            theta=-forward * density * vol / (2.0 * root) / 365.0 if root else np.full_like(vol, np.nan),
            vega=forward * density * root / 100.0,
        )
