"""Strikes found in the prices of a chain: nearest premium, nearest delta. Found within tolerance, or refused."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Literal

from algomirror.kernel.errors import Refused
from marketdata.domain.quotes import Quote
from strategies.domain import black76

CHAIN_WIDTH: Final = 50
LEAST_TOLERANCE: Final = Decimal(1)
DELTA_TOLERANCE: Final = 0.05


def usable_mid(quote: Quote) -> Decimal | None:
    """The middle of a two-sided quote that is narrow enough to mean something."""
    if quote.bid is None or quote.ask is None or quote.bid <= 0 or quote.ask < quote.bid:
        return None
    mid = (quote.bid + quote.ask) / 2
    return mid if quote.ask - quote.bid <= max(Decimal(1), mid / 10) else None


def nearest_premium(quotes: Mapping[Decimal, Quote], target: Decimal, tolerance: int, spot: Decimal) -> Decimal:
    """The strike whose mid is nearest `target`; on a tie the mid below it, then the one farther from spot.

    `quotes` holds fresh quotes only. Refused when the nearest is more than `tolerance` percent (at least ₹1) away.
    """
    mids = {strike: mid for strike, quote in quotes.items() if (mid := usable_mid(quote)) is not None}
    if not mids:
        raise Refused("no strike has a fresh two-sided price")
    strike = min(mids, key=lambda s: (abs(mids[s] - target), mids[s] > target, -abs(s - spot), s))
    allowed = max(target * tolerance / 100, LEAST_TOLERANCE)
    if abs(mids[strike] - target) > allowed:
        raise Refused(f"no premium within ₹{allowed:.2f} of ₹{target:.2f}; the nearest is ₹{mids[strike]:.2f} at {strike:f}")
    return strike


def straddle_premium(calls: Mapping[Decimal, Quote], puts: Mapping[Decimal, Quote], atm: Decimal) -> Decimal:
    """Call and put mid at the money together; Refused when either is unknown."""
    sides = [usable_mid(side[atm]) if atm in side else None for side in (calls, puts)]
    if sides[0] is None or sides[1] is None:
        raise Refused(f"the straddle at {atm:f} has no fresh two-sided price")
    return sides[0] + sides[1]


def nearest_delta(
    kind: Literal["CE", "PE"],
    calls: Mapping[Decimal, Quote],
    puts: Mapping[Decimal, Quote],
    *,
    atm: Decimal,
    target: Decimal,
    years: float,
) -> Decimal:
    """The strike whose absolute delta (Black-76 on the forward of put-call parity) is nearest `target`, within 0.05."""
    call, put = (usable_mid(side[atm]) if atm in side else None for side in (calls, puts))
    if call is None or put is None or years <= 0:
        raise Refused(f"no forward: the straddle at {atm:f} has no fresh two-sided price")
    forward = float(atm + call - put)
    found: dict[Decimal, float] = {}
    for strike, quote in (calls if kind == "CE" else puts).items():
        mid = usable_mid(quote)
        vol = None if mid is None else black76.implied_vol(kind == "CE", float(mid), forward, float(strike), years)
        if vol is not None:
            found[strike] = abs(black76.greeks(kind == "CE", forward, float(strike), years, vol).delta)
    if not found:
        raise Refused("no strike has a delta")
    wanted = float(target)
    strike = min(found, key=lambda s: (abs(found[s] - wanted), found[s] > wanted, s))
    if abs(found[strike] - wanted) > DELTA_TOLERANCE:
        raise Refused(f"no delta within {DELTA_TOLERANCE} of {wanted:.2f}; the nearest is {found[strike]:.2f} at {strike:f}")
    return strike
