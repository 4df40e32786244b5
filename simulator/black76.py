"""Undiscounted Black-76, vectorised for the tick and scalar for greeks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_TOP = (
    3.52624965998911e-02,
    0.700383064443688,
    6.37396220353165,
    33.912866078383,
    112.079291497871,
    221.213596169931,
    220.206867912376,
)
_BOTTOM = (
    8.83883476483184e-02,
    1.75566716318264,
    16.064177579207,
    86.7807322029461,
    296.564248779674,
    637.333633378831,
    793.826512519948,
    440.413735824752,
)


def normal_cdf(x: Floats) -> Floats:
    """Hart's rational form: double precision inside seven deviations, no SciPy needed."""
    size = np.minimum(np.abs(x), 7.0)
    top = np.full_like(size, _TOP[0])
    for coefficient in _TOP[1:]:
        top = top * size + coefficient
    bottom = np.full_like(size, _BOTTOM[0])
    for coefficient in _BOTTOM[1:]:
        bottom = bottom * size + coefficient
    tail: Floats = np.exp(-size * size / 2.0) * top / bottom
    return np.where(x > 0, 1.0 - tail, tail)


def call_prices(forward: Floats, strike: Floats, years: Floats, vol: Floats) -> Floats:
    """Call premium in price units. The put is call - (forward - strike), so parity is exact."""
    deviation = np.maximum(vol * np.sqrt(years), 1e-9)
    d1 = np.log(forward / strike) / deviation + deviation / 2.0
    value: Floats = forward * normal_cdf(d1) - strike * normal_cdf(d1 - deviation)
    return np.maximum(value, np.maximum(forward - strike, 0.0))


@dataclass(frozen=True, slots=True)
class Greeks:
    """delta; gamma per point; theta per day; vega per 1 % vol; rho per 1 % rate. `vol` is a fraction."""

    vol: float
    delta: float
    gamma: float
    theta: float
    vega: float
    rho: float


def _cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def price(forward: float, strike: float, years: float, vol: float, is_call: bool, rate: float = 0.0) -> float:
    deviation = max(vol * math.sqrt(years), 1e-9)
    d1 = math.log(forward / strike) / deviation + deviation / 2.0
    d2 = d1 - deviation
    discount = math.exp(-rate * years)
    if is_call:
        return discount * (forward * _cdf(d1) - strike * _cdf(d2))
    return discount * (strike * _cdf(-d2) - forward * _cdf(-d1))


def implied_vol(premium: float, forward: float, strike: float, years: float, is_call: bool, rate: float = 0.0) -> float:
    """Bisection; 0.0 when the premium is at or below intrinsic value."""
    low, high = 1e-4, 5.0
    if premium <= price(forward, strike, years, low, is_call, rate):
        return 0.0
    for _ in range(60):
        middle = (low + high) / 2.0
        if price(forward, strike, years, middle, is_call, rate) < premium:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def greeks(premium: float, forward: float, strike: float, years: float, is_call: bool, rate: float = 0.0) -> Greeks:
    vol = implied_vol(premium, forward, strike, years, is_call, rate)
    if vol == 0.0:
        in_money = forward > strike if is_call else forward < strike
        return Greeks(0.0, (1.0 if is_call else -1.0) if in_money else 0.0, 0.0, 0.0, 0.0, 0.0)
    deviation = vol * math.sqrt(years)
    d1 = math.log(forward / strike) / deviation + deviation / 2.0
    discount = math.exp(-rate * years)
    density = math.exp(-d1 * d1 / 2.0) / math.sqrt(2.0 * math.pi)
    decay = -forward * discount * density * vol / (2.0 * math.sqrt(years)) + rate * premium
    return Greeks(
        vol=vol,
        delta=discount * (_cdf(d1) if is_call else _cdf(d1) - 1.0),
        gamma=discount * density / (forward * deviation),
        theta=decay / 365.0,
        vega=forward * discount * density * math.sqrt(years) / 100.0,
        rho=-years * premium / 100.0,
    )
