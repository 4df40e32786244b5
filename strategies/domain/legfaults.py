"""What is wrong with one leg by itself, field by field."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from strategies.domain.legs import LegSpec

SLOTS: Final = frozenset({"CURRENT_WEEK", "NEXT_WEEK", "CURRENT_MONTH", "NEXT_MONTH", "DATE"})
MONTHS: Final = frozenset({"CURRENT_MONTH", "NEXT_MONTH"})
STEPPED: Final = frozenset({"ITM", "OTM"})
# Modes that need a value, the range it must be in, and what it is called.
VALUES: Final = {
    "STRIKE": (Decimal("0.01"), Decimal(1_000_000), "the strike in rupees"),
    "PREMIUM": (Decimal("0.05"), Decimal(100_000), "the premium in rupees"),
    "DELTA": (Decimal("0.01"), Decimal("0.99"), "the delta, 0.01 to 0.99"),
    "STRADDLE": (Decimal(1), Decimal(200), "1 to 200 percent of the straddle premium"),
}
NEEDS_LIMIT: Final = frozenset({"LIMIT", "SL"})
NEEDS_TRIGGER: Final = frozenset({"SL", "SL_M"})


def leg_faults(leg: LegSpec) -> dict[str, str]:
    found: dict[str, str] = {}
    if leg.slot not in SLOTS:
        found["slot"] = "this week or next, this month or next, or a date"
    if leg.slot == "DATE" and leg.expiry_date is None:
        found["expiry_date"] = "a fixed expiry needs its date"
    if leg.slot != "DATE" and leg.expiry_date is not None:
        found["expiry_date"] = "only a fixed expiry takes a date"
    if leg.is_future:
        if leg.slot not in MONTHS and leg.slot != "DATE":
            found["slot"] = "futures have no weekly expiries"
        if leg.strike_mode != "ATM" or leg.strike_offset or leg.strike_value is not None:
            found["strike_mode"] = "a future has no strike"
    else:
        found.update(_strike_faults(leg))
    return found | _price_faults(leg)


def _strike_faults(leg: LegSpec) -> dict[str, str]:
    found: dict[str, str] = {}
    stepped = leg.strike_mode in STEPPED
    if not (1 <= leg.strike_offset <= 20 if stepped else leg.strike_offset == 0):
        found["strike_offset"] = "1 to 20 steps in or out of the money; none otherwise"
    asked = VALUES.get(leg.strike_mode)
    if asked is None:
        if leg.strike_value is not None:
            found["strike_value"] = f"{leg.strike_mode} takes no value"
    elif leg.strike_value is None or not asked[0] <= leg.strike_value <= asked[1]:
        found["strike_value"] = f"needed: {asked[2]}"
    if not 1 <= leg.tolerance <= 50:
        found["tolerance"] = "1 to 50 percent"
    return found


def _price_faults(leg: LegSpec) -> dict[str, str]:
    found: dict[str, str] = {}
    word = leg.price_type.replace("_", "-")
    for name, value, needed in (
        ("limit_price", leg.limit_price, leg.price_type in NEEDS_LIMIT),
        ("trigger_price", leg.trigger_price, leg.price_type in NEEDS_TRIGGER),
    ):
        if needed and (value is None or value <= 0):
            found[name] = f"{word} needs a {name.replace('_', ' ')} above 0"
        if not needed and value is not None:
            found[name] = f"{word} takes no {name.replace('_', ' ')}"
    if leg.price_type == "SL" and leg.limit_price and leg.trigger_price:
        buys = leg.action == "BUY"
        if (leg.limit_price < leg.trigger_price) if buys else (leg.limit_price > leg.trigger_price):
            found["limit_price"] = f"a stop to {leg.action} fills at or {'above' if buys else 'below'} its trigger"
    return found
