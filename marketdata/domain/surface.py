"""Everything a chain shows beyond prices, in one pass over arrays. Rows are strikes, ascending; calls are row 0, puts row 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from marketdata.domain.greeks import Floats, Greeks, greeks

_NAMES = ("iv", "delta", "gamma", "theta", "vega")


@dataclass(frozen=True, slots=True)
class Market:
    """What is quoted: `strikes` of length n, the rest of shape (2, n). NaN is unknown."""

    strikes: Floats
    bid: Floats
    ask: Floats
    open_interest: Floats
    volume: Floats


@dataclass(frozen=True, slots=True)
class Surface:
    """Greeks of shape (2, n); the rest are single figures, NaN when they cannot be said."""

    greeks: Greeks
    forward: float
    put_call_ratio: float
    max_pain: float
    volume: float
    oi_share: Floats


def surface(market: Market, years: float) -> Surface:
    strikes = market.strikes
    with np.errstate(all="ignore"):
        two_sided = (market.bid > 0) & (market.ask >= market.bid)
        mids = np.where(two_sided, (market.bid + market.ask) / 2.0, np.nan)
        forward = synthetic_forward(strikes, mids)
        both = np.concatenate([strikes, strikes])
        is_call = np.arange(both.size) < strikes.size
        found = greeks(is_call, mids.ravel(), forward, both, years)
        interest = np.nan_to_num(market.open_interest)
        largest = float(interest.max()) if interest.size else 0.0
        known = ~np.isnan(market.open_interest)
        sums = interest.sum(axis=1)
        return Surface(
            greeks=Greeks(*(np.reshape(getattr(found, name), mids.shape) for name in _NAMES)),
            forward=forward,
            put_call_ratio=float(sums[1] / sums[0]) if sums[0] > 0 and known[1].any() else float("nan"),
            max_pain=max_pain(strikes, interest),
            volume=float(np.nansum(market.volume)) if not np.isnan(market.volume).all() else float("nan"),
            oi_share=market.open_interest * 100.0 / largest if largest > 0 else np.full_like(market.open_interest, np.nan),
        )


def synthetic_forward(strikes: Floats, mids: Floats) -> float:
    """Strike + call - put where call and put are worth most nearly the same; NaN without a strike quoted on both sides."""
    apart = np.abs(mids[0] - mids[1])
    if not apart.size or np.isnan(apart).all():
        return float("nan")
    at = int(np.nanargmin(apart))
    return float(strikes[at] + mids[0, at] - mids[1, at])


def max_pain(strikes: Floats, interest: Floats) -> float:
    """The strike at which open options pay out least; the lower one on a tie, NaN without open interest."""
    if not interest.any():
        return float("nan")
    apart = strikes[:, None] - strikes[None, :]
    paid = np.maximum(apart, 0.0) @ interest[0] + np.maximum(-apart, 0.0) @ interest[1]
    return float(strikes[int(np.argmin(paid))])
