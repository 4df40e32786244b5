"""What the engine says about its decisions, in plain words with the numbers used."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from algomirror.kernel.money import to_paisa

RULE_NAMES: Final = {
    "MAX_LOSS": "Max loss",
    "MAX_PROFIT": "Max profit",
    "BLIND": "Blind",
}
SIGN: Final = {"MAX_LOSS": "≤", "MAX_PROFIT": "≥"}


def rupees(amount: Decimal) -> str:
    """₹−5,012.50 in Indian groups; exact text for journals, not for tables."""
    rounded = to_paisa(abs(amount))
    whole, _, paise = f"{rounded:f}".partition(".")
    head, tail = whole[:-3], whole[-3:]
    groups = [head[max(end - 2, 0) : end] for end in range(len(head), 0, -2)][::-1]
    return f"₹{'−' if amount < 0 and rounded else ''}{','.join([*groups, tail])}.{paise}"


def tripped(rule: str, *, value: Decimal, level: Decimal, seen_by: str, action: str) -> str:
    what = "Exit requested." if action == "EXIT" else "Alert only: no exit was asked for."
    return f"{RULE_NAMES.get(rule, rule)}: P&L {rupees(value)} {SIGN.get(rule, '/')} {rupees(level)} (seen by {seen_by}). {what}"


def blind(seconds: float, missing: tuple[str, ...]) -> str:
    return f"Blind for {seconds:.0f} s: no fresh price for {', '.join(missing) or 'an open leg'}."
