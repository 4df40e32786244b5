"""Contract names, composed and taken apart from the right. A cross-check on the broker's list, never its substitute."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from algomirror.kernel.money import parse_decimal

OptionKind = Literal["CE", "PE"]

MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

# Greedy base: names may hold digits (360ONE), so the last date in the symbol is the expiry.
_CONTRACT = re.compile(
    r"^(?P<base>.+)(?P<day>\d{2})(?P<month>[A-Z]{3})(?P<year>\d{2})(?:(?P<strike>\d+(?:\.\d+)?)(?P<kind>CE|PE)|FUT)$"
)
_EXPIRY = re.compile(r"^(\d{2})-?([A-Z]{3})-?(\d{2}|\d{4})$")


@dataclass(frozen=True, slots=True)
class Contract:
    underlying: str
    expiry: date
    kind: Literal["CE", "PE", "FUT"]
    strike: Decimal | None = None


def expiry_code(expiry: date) -> str:
    return f"{expiry.day:02d}{MONTHS[expiry.month - 1]}{expiry.year % 100:02d}"


def strike_text(strike: Decimal) -> str:
    """Plain digits without trailing zeros: 24000, 292.5."""
    text = f"{strike:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def option_symbol(underlying: str, expiry: date, strike: Decimal, kind: OptionKind) -> str:
    return f"{underlying}{expiry_code(expiry)}{strike_text(strike)}{kind}"


def future_symbol(underlying: str, expiry: date) -> str:
    return f"{underlying}{expiry_code(expiry)}FUT"


def compose(contract: Contract) -> str:
    if contract.kind == "FUT":
        return future_symbol(contract.underlying, contract.expiry)
    assert contract.strike is not None
    return option_symbol(contract.underlying, contract.expiry, contract.strike, contract.kind)


def parse_expiry(text: str) -> date | None:
    """25-AUG-26, 25AUG26 and 25-AUG-2026; None for anything else."""
    match = _EXPIRY.match(text.strip().upper())
    if not match:
        return None
    day, month, year = match.groups()
    return _date(day, month, year)


def take_apart(symbol: str) -> Contract | None:
    """What a contract's name says; None when it is no option or future."""
    match = _CONTRACT.match(symbol)
    if not match:
        return None
    expiry = _date(match["day"], match["month"], match["year"])
    if expiry is None:
        return None
    if match["kind"] is None:
        return Contract(match["base"], expiry, "FUT")
    strike = parse_decimal(match["strike"])
    if strike is None or strike <= 0:
        return None
    return Contract(match["base"], expiry, "CE" if match["kind"] == "CE" else "PE", strike)


def _date(day: str, month: str, year: str) -> date | None:
    if month not in MONTHS:
        return None
    try:
        return date(int(year) if len(year) == 4 else 2000 + int(year), MONTHS.index(month) + 1, int(day))
    except ValueError:
        return None
