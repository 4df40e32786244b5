"""The strikes a leg could have, with their prices now: what the builder shows to choose from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from marketdata import selectors
from marketdata.domain.quotes import Quote
from marketdata.domain.strikes import MAX_OFFSET
from marketdata.models import Underlying
from strategies.domain.legs import LegSpec
from strategies.services.pricing import fresh_quotes
from strategies.services.resolving import resolve

WIDTH: Final = 12


@dataclass(frozen=True, slots=True)
class Rung:
    """One listed strike. `mode` and `steps` name it relative to the money; `mode` empty: too far for that."""

    strike: Decimal
    mode: str
    steps: int
    quote: Quote | None
    is_chosen: bool

    @property
    def tag(self) -> str:
        return self.mode if self.steps == 0 else f"{self.mode} {self.steps}"


@dataclass(frozen=True, slots=True)
class Ladder:
    """`why` says why there are no rungs. `row` is the leg's row in the form, from 0."""

    row: int
    title: str
    spot: Decimal | None
    rungs: tuple[Rung, ...]
    why: str = ""


def ladder(typed: Mapping[str, Any], row: int) -> Ladder:
    """The strikes around the money of the leg as typed. May ask a broker for prices: not in a transaction."""
    name, kind = str(typed.get("underlying", "")), str(typed.get("kind", ""))
    if kind not in ("CE", "PE"):
        return Ladder(row, "", None, (), "a future has no strikes")
    if typed.get("slot") == "DATE" and _day(typed) is None:
        return Ladder(row, "", None, (), "choose the date of the expiry first")
    leg = LegSpec(1, name, kind, str(typed.get("slot", "")), "BUY", "ATM", 0, 1, expiry_date=_day(typed))  # type: ignore[arg-type]
    found = resolve([leg])
    if not found.choices or found.choices[0].atm_strike is None:
        return Ladder(row, "", None, (), " ".join(d.sentence.removeprefix("Leg 1: ") for d in found.denials))
    expiry, centre = found.choices[0].expiry, found.choices[0].atm_strike
    step = Underlying.objects.values_list("strike_step", flat=True).get(symbol=name)
    listed = {
        strike: pair[kind] for strike, pair in selectors.chain_instruments(name, expiry, centre, WIDTH).items() if kind in pair
    }
    quotes = fresh_quotes(contract.key for contract in listed.values())
    chosen = _number(typed.get("strike_value")) if typed.get("strike_mode") == "STRIKE" else None
    rungs = tuple(_rung(strike, centre, step, kind, quotes.get(listed[strike].key), strike == chosen) for strike in listed)
    spot = found.snapshot["spot"].get(name)
    return Ladder(row, f"{name} {expiry:%d %b %Y} {kind}", None if spot is None else Decimal(spot), rungs)


def _rung(strike: Decimal, centre: Decimal, step: Decimal, kind: str, quote: Quote | None, is_chosen: bool) -> Rung:
    steps, rest = divmod(abs(strike - centre), step)
    if rest or steps > MAX_OFFSET:
        return Rung(strike, "", 0, quote, is_chosen)
    out = (strike > centre) == (kind == "CE")
    return Rung(strike, "ATM" if steps == 0 else "OTM" if out else "ITM", int(steps), quote, is_chosen)


def _day(typed: Mapping[str, Any]) -> date | None:
    try:
        return date.fromisoformat(str(typed.get("expiry_date") or ""))
    except ValueError:
        return None


def _number(text: object) -> Decimal | None:
    try:
        return Decimal(str(text))
    except InvalidOperation:
        return None
