"""Prices we send: marketable limits with protection, inside the exchange's range, on tick."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Final

from algomirror.kernel.money import Action, round_to_tick
from marketdata.domain.quotes import Quote

# Protection by premium (rupees, up to and excluding): exchange practice as of 2026, see docs/DECISIONS.md.
SLABS: Final = ((Decimal(10), Decimal("0.05")), (Decimal(100), Decimal("0.03")), (Decimal(500), Decimal("0.02")))
TOP_SLAB: Final = Decimal("0.01")
RANGE_SHARE: Final = Decimal("0.40")
RANGE_RUPEES: Final = Decimal(20)
LADDER: Final = (1, 2, 4)
UNPRICED_RUNG: Final = 4


def protection(premium: Decimal) -> Decimal:
    """The share by which a marketable limit may pay beyond the touch."""
    return next((share for below, share in SLABS if premium < below), TOP_SLAB)


def in_range(price: Decimal, reference: Decimal, tick: Decimal) -> Decimal:
    """`price` clamped to the band the exchange accepts around `reference`, on tick, never below one tick."""
    width = max(reference * RANGE_SHARE, RANGE_RUPEES)
    lowest = ((reference - width) / tick).to_integral_value(rounding=ROUND_CEILING) * tick
    highest = ((reference + width) / tick).to_integral_value(rounding=ROUND_FLOOR) * tick
    return max(min(price, highest), lowest, tick)


def touch(quote: Quote, action: Action) -> Decimal:
    """Where the other side stands; the last trade when that side is empty."""
    side = quote.ask if action == "BUY" else quote.bid
    return side if side is not None and side > 0 else quote.last_price


def protected_limit(reference: Decimal, action: Action, tick: Decimal, *, times: int = 1) -> Decimal:
    """The touch moved by `times` the slab in the direction that fills, on tick, inside the range."""
    share = protection(reference) * times
    moved = reference * (1 + share if action == "BUY" else 1 - share)
    return in_range(round_to_tick(moved, tick, action), reference, tick)


def ladder_price(action: Action, tick: Decimal, *, step: int, fresh: Quote | None, last_known: Decimal) -> Decimal:
    """The limit of an exit on rung `step` (0 first): 1x, 2x, 4x, then 4x the slab.

    Without a fresh quote the last known price at the widest rung: getting out late beats not getting out.
    """
    if fresh is None:
        return protected_limit(last_known, action, tick, times=UNPRICED_RUNG)
    return protected_limit(touch(fresh, action), action, tick, times=LADDER[min(step, len(LADDER) - 1)])
