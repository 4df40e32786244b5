"""Exact rupees and prices. Never a float once a number is inside."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Literal

Action = Literal["BUY", "SELL"]

PAISA = Decimal("0.01")
ZERO = Decimal(0)


def parse_decimal(value: object) -> Decimal | None:
    """What a broker calls a number, or None when it is none.

    Accepts int, float, and text with blanks, thousands commas (Indian or western) and a sign.
    None, "", "null", NaN, infinities, booleans and malformed commas ("1,2.3") give None.
    """
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, float):
        text = repr(value)
    elif isinstance(value, str):
        text = value.strip().removeprefix("₹").strip()
        if "," in text:
            if not _commas_are_groups(text):
                return None
            text = text.replace(",", "")
    else:
        return None
    if not text or "_" in text:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _commas_are_groups(text: str) -> bool:
    head, *groups = text.lstrip("+-").partition(".")[0].split(",")
    return (
        1 <= len(head) <= 3
        and head.isdigit()
        and all(g.isdigit() for g in groups)
        and len(groups[-1]) == 3
        and all(len(g) in (2, 3) for g in groups)
    )


def parse_quantity(value: object) -> int | None:
    """Signed whole units, or None when the text is no whole number."""
    number = parse_decimal(value)
    if number is None or number != number.to_integral_value():
        return None
    return int(number)


def to_paisa(amount: Decimal) -> Decimal:
    return amount.quantize(PAISA, rounding=ROUND_HALF_UP)


def on_tick(price: Decimal, tick: Decimal) -> bool:
    return tick > 0 and price % tick == 0


def round_to_tick(price: Decimal, tick: Decimal, action: Action) -> Decimal:
    """The tick in the direction that fills: up for BUY, down for SELL; at least one tick."""
    if tick <= 0:
        raise ValueError(f"tick must be positive, not {tick}")
    rounding = ROUND_CEILING if action == "BUY" else ROUND_FLOOR
    return max((price / tick).to_integral_value(rounding=rounding) * tick, tick)


def round_half_up(value: Decimal, step: Decimal) -> Decimal:
    """To the nearest multiple of `step`, halves away from zero."""
    return (value / step).to_integral_value(rounding=ROUND_HALF_UP) * step


def opposite(action: Action) -> Action:
    return "SELL" if action == "BUY" else "BUY"


def sign(action: Action) -> int:
    return 1 if action == "BUY" else -1
