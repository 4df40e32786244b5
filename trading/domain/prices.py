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
FUTURE_RANGE_SHARE: Final = Decimal("0.02")
FUTURE_RANGE_RUPEES: Final = Decimal(200)
# BSE: how far the limit of a stop order may lie from its trigger; options to the flat width up to and at ₹50.
GAP_EXCHANGES: Final = frozenset({"BFO"})
GAP_SHARE: Final = Decimal("0.20")
GAP_RUPEES: Final = Decimal(10)
GAP_FLAT_UP_TO: Final = Decimal(50)
LADDER: Final = (1, 2, 4)
UNPRICED_RUNG: Final = 4


def protection(premium: Decimal) -> Decimal:
    """The share by which a marketable limit may pay beyond the touch."""
    return next((share for below, share in SLABS if premium < below), TOP_SLAB)


def is_future(symbol: str) -> bool:
    return symbol.endswith("FUT")


def band(reference: Decimal, tick: Decimal, *, future: bool = False) -> tuple[Decimal, Decimal]:
    """Lowest and highest price the exchange takes around `reference`, on tick, never below one tick."""
    share, rupees = (FUTURE_RANGE_SHARE, FUTURE_RANGE_RUPEES) if future else (RANGE_SHARE, RANGE_RUPEES)
    width = max(reference * share, rupees)
    lowest = ((reference - width) / tick).to_integral_value(rounding=ROUND_CEILING) * tick
    highest = ((reference + width) / tick).to_integral_value(rounding=ROUND_FLOOR) * tick
    return max(lowest, tick), max(highest, tick)


def in_range(price: Decimal, reference: Decimal, tick: Decimal, *, future: bool = False) -> Decimal:
    """`price` clamped to the band around `reference`."""
    lowest, highest = band(reference, tick, future=future)
    return max(min(price, highest), lowest)


def stop_gap(trigger: Decimal, exchange: str, *, future: bool = False) -> Decimal | None:
    """Rupees by which a stop's limit may differ from its trigger on this exchange; None: no such rule there."""
    if exchange not in GAP_EXCHANGES:
        return None
    if future:
        return max(trigger * FUTURE_RANGE_SHARE, FUTURE_RANGE_RUPEES)
    return GAP_RUPEES if trigger <= GAP_FLAT_UP_TO else trigger * GAP_SHARE


def range_faults(
    *,
    price_type: str,
    price: Decimal | None,
    trigger: Decimal | None,
    reference: Decimal,
    tick: Decimal,
    exchange: str,
    symbol: str,
) -> dict[str, str]:
    """What the exchange would refuse of these prices, by field ("price", "trigger_price").

    A limit must lie around the market. A stop's trigger too; its limit is judged by the exchange when it triggers, so it
    must lie around the trigger, and on BSE within the stop gap.
    """
    future, found = is_future(symbol), dict[str, str]()
    is_stop = price_type in ("SL", "SL-M")
    if is_stop and trigger is not None and (said := _outside(trigger, reference, tick, "the market", future=future)):
        found["trigger_price"] = said
    if price_type == "LIMIT" and price is not None:
        said = _outside(price, reference, tick, "the market", future=future)
    elif price_type == "SL" and price is not None and trigger is not None:
        said = _outside(price, trigger, tick, "its trigger", future=future) or gap_fault(price, trigger, exchange, future=future)
    else:
        said = ""
    return found | ({"price": said} if said else {})


def _outside(price: Decimal, around: Decimal, tick: Decimal, word: str, *, future: bool) -> str:
    lowest, highest = band(around, tick, future=future)
    if lowest <= price <= highest:
        return ""
    return f"{price} is outside the exchange's range of {lowest} to {highest} around {word} at {around}"


def gap_fault(price: Decimal, trigger: Decimal, exchange: str, *, future: bool = False) -> str:
    """Why this exchange would refuse a stop whose limit is so far from its trigger; empty when it would not."""
    gap = stop_gap(trigger, exchange, future=future)
    if gap is None or abs(price - trigger) <= gap:
        return ""
    return f"the limit of a stop may be at most ₹{gap:.2f} from its trigger on BSE, this is ₹{abs(price - trigger):.2f}"


def touch(quote: Quote, action: Action) -> Decimal:
    """Where the other side stands; the last trade when that side is empty."""
    side = quote.ask if action == "BUY" else quote.bid
    return side if side is not None and side > 0 else quote.last_price


def protected_limit(reference: Decimal, action: Action, tick: Decimal, *, times: int = 1, future: bool = False) -> Decimal:
    """The touch moved by `times` the slab in the direction that fills, on tick, inside the range."""
    share = protection(reference) * times
    moved = reference * (1 + share if action == "BUY" else 1 - share)
    return in_range(round_to_tick(moved, tick, action), reference, tick, future=future)


def ladder_price(
    action: Action, tick: Decimal, *, step: int, fresh: Quote | None, last_known: Decimal, future: bool = False
) -> Decimal:
    """The limit of an exit on rung `step` (0 first): 1x, 2x, 4x, then 4x the slab.

    Without a fresh quote the last known price at the widest rung: getting out late beats not getting out.
    """
    if fresh is None:
        return protected_limit(last_known, action, tick, times=UNPRICED_RUNG, future=future)
    rung = LADDER[min(step, len(LADDER) - 1)]
    return protected_limit(touch(fresh, action), action, tick, times=rung, future=future)
