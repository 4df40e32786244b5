"""Legs between the domain and their rows."""

from __future__ import annotations

from marketdata.models import Underlying
from strategies.domain.legs import LegSpec
from strategies.models import Leg, Version


def leg_row(version: Version, leg: LegSpec, underlying: Underlying) -> Leg:
    return Leg(
        version=version,
        number=leg.number,
        underlying=underlying,
        kind=leg.kind,
        slot=leg.slot,
        expiry_date=leg.expiry_date,
        action=leg.action,
        strike_mode=leg.strike_mode,
        strike_offset=leg.strike_offset,
        strike_value=leg.strike_value,
        tolerance=leg.tolerance,
        lots=leg.lots,
        price_type=leg.price_type,
        limit_price=leg.limit_price,
        trigger_price=leg.trigger_price,
        hedges=list(leg.hedges),
    )


def spec_of(leg: Leg) -> LegSpec:
    """`leg.underlying` should have been read along."""
    return LegSpec(
        number=leg.number,
        underlying=leg.underlying.symbol,
        kind=leg.kind,  # type: ignore[arg-type]
        slot=leg.slot,
        action="BUY" if leg.action == "BUY" else "SELL",
        strike_mode=leg.strike_mode,  # type: ignore[arg-type]
        strike_offset=leg.strike_offset,
        lots=leg.lots,
        hedges=tuple(leg.hedges),
        expiry_date=leg.expiry_date,
        strike_value=leg.strike_value,
        tolerance=leg.tolerance,
        price_type=leg.price_type,  # type: ignore[arg-type]
        limit_price=leg.limit_price,
        trigger_price=leg.trigger_price,
    )
