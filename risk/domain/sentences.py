"""What the engine says about its decisions, in plain words with the numbers used."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from algomirror.kernel.money import to_paisa

RULE_NAMES: Final = {
    "MAX_LOSS": "Max loss",
    "MAX_PROFIT": "Max profit",
    "TRAILING_STOP": "Trailing stop",
    "PROFIT_LOCK": "Profit lock",
    "LEG_STOP": "Leg stop",
    "LEG_TARGET": "Leg target",
    "LEG_TRAILING": "Leg trailing stop",
    "COST_STOP": "Stop at cost",
    "PREMIUM_STOP": "Combined premium stop",
    "PREMIUM_TARGET": "Combined premium target",
    "UNDERLYING_BELOW": "Underlying below",
    "UNDERLYING_ABOVE": "Underlying above",
    "UNDERLYING_STOP": "Underlying price",
    "EXIT_TIME": "Exit time",
    "SQUARE_OFF": "Square-off",
    "EXPIRY": "Expiry",
    "SUPERTREND": "Supertrend",
    "ACCOUNT_LIMIT": "Account limit",
    "KILL_SWITCH": "Kill switch",
    "BLIND": "Blind",
    "BLIND_START": "Blind since",
    "BLIND_END": "Sees again",
    "LIMIT_LOCK": "Entries locked",
    "PLATFORM_LIMIT": "Platform limit",
}
PAST: Final = {"MAX_LOSS": "≤", "TRAILING_STOP": "≤", "PROFIT_LOCK": "≤", "MAX_PROFIT": "≥"}
CLOCKED: Final = frozenset({"EXIT_TIME", "SQUARE_OFF", "EXPIRY"})


def rupees(amount: Decimal) -> str:
    """₹−5,012.50 in Indian groups; exact text for journals, not for tables."""
    rounded = to_paisa(abs(amount))
    whole, _, paise = f"{rounded:f}".partition(".")
    head, tail = whole[:-3], whole[-3:]
    groups = [head[max(end - 2, 0) : end] for end in range(len(head), 0, -2)][::-1]
    return f"₹{'−' if amount < 0 and rounded else ''}{','.join([*groups, tail])}.{paise}"


def price(number: Decimal) -> str:
    return f"{number.quantize(Decimal('0.0001'), rounding=ROUND_HALF_UP).normalize():f}"


def tripped(rule: str, *, value: Decimal | None, level: Decimal | None, seen_by: str, action: str, what: str = "") -> str:
    """`what` names the leg or the contract a rule of one leg speaks of."""
    name = RULE_NAMES.get(rule, rule) + (f" of {what}" if what else "")
    then = "Exit requested." if action == "EXIT" else "Alert only: no exit was asked for."
    if rule in CLOCKED:
        return f"{name} reached (seen by {seen_by}). {then}"
    if value is None or level is None:
        return f"{name} (seen by {seen_by}). {then}"
    if rule in PAST:
        return f"{name}: P&L {rupees(value)} {PAST[rule]} {rupees(level)} (seen by {seen_by}). {then}"
    sign = "≤" if value <= level else "≥"
    return f"{name}: {price(value)} {sign} {price(level)} (seen by {seen_by}). {then}"


def blind(seconds: float, missing: tuple[str, ...]) -> str:
    return f"Blind for {seconds:.0f} s: no fresh price for {', '.join(missing) or 'an open leg'}."
