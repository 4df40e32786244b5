"""Stops that follow the best P&L: the trailing stop and the profit lock in steps. Numbers in, numbers out."""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal

from risk.domain.terms import Lock, Trail

HUNDRED = Decimal(100)
SMALLEST_SHARE_OF_GROSS = Decimal("0.1")


def first_stop(trail: Trail, net_premium: Decimal, base_units: int) -> Decimal:
    """Where the stop stands before any gain: rupees, never above 0."""
    if trail.kind == "PERCENT":
        return -abs(net_premium) * trail.value / HUNDRED
    if trail.kind == "POINTS":
        return -trail.value * base_units
    return -trail.value


def stop_at(trail: Trail, net_premium: Decimal, base_units: int, peak: Decimal) -> Decimal:
    """The stop that `peak` (highest P&L on a complete mark, at least 0) gives by itself; the caller never lowers it."""
    counted = peak if peak >= trail.activation else Decimal(0)
    factor = Decimal(1)
    if trail.mode == "PERCENT_OF_PRICE":
        share = trail.value / HUNDRED
        factor = 1 + share if net_premium < 0 else 1 - share
    return first_stop(trail, net_premium, base_units) + factor * counted


def locked(lock: Lock, peak: Decimal) -> Decimal | None:
    """P&L that is kept once `peak` was seen; None while the first step is not reached."""
    if peak < lock.reach:
        return None
    if lock.step is None or lock.step_keep is None:
        return lock.keep
    steps = ((peak - lock.reach) / lock.step).to_integral_value(rounding=ROUND_FLOOR)
    return lock.keep + steps * lock.step_keep


def percent_is_meaningless(net_premium: Decimal, gross_premium: Decimal) -> bool:
    """A structure that costs next to nothing has no per cent: points or rupees must be used."""
    return abs(net_premium) < gross_premium * SMALLEST_SHARE_OF_GROSS
