"""A basket of exact contracts as strategy legs: expiry becomes a slot, strike becomes steps from the money."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from algomirror.kernel import clock
from marketdata import selectors
from marketdata.domain.strikes import MAX_OFFSET, atm
from marketdata.models import Instrument, Underlying
from strategies.domain.tickets import TicketLeg
from strategies.services.resolving import contracts_by_key, fresh_quotes


def as_rows(legs: Sequence[TicketLeg]) -> tuple[list[dict[str, Any]], list[str]]:
    """Builder rows, and why some contracts cannot become one. Outside any transaction."""
    listed = contracts_by_key(leg.key for leg in legs)
    rows: list[dict[str, Any]] = []
    said: list[str] = []
    for leg in legs:
        found = _row(leg, listed.get(leg.key))
        if isinstance(found, str):
            said.append(f"{leg.symbol}: {found}")
        else:
            rows.append(found)
    return rows, said


def _row(leg: TicketLeg, contract: Instrument | None) -> dict[str, Any] | str:
    if contract is None or contract.expiry is None or contract.strike is None:
        return "not a listed option."
    underlying = Underlying.objects.filter(symbol=contract.underlying, enabled=True).first()
    if underlying is None:
        return f"{contract.underlying} is not an enabled underlying."
    slot = next((s.value for s, day in selectors.slots(underlying.symbol, clock.now()).items() if day == contract.expiry), None)
    if slot is None:
        return f"{contract.expiry:%d %b %Y} is neither of the next two weekly nor monthly expiries."
    key = selectors.index_key(underlying.symbol)
    spot = fresh_quotes([key]).get(key)
    if spot is None:
        return f"no fresh price of {underlying.symbol}."
    centre = atm(spot.last_price, selectors.strikes(underlying.symbol, contract.expiry), underlying.strike_step)
    steps, rest = divmod(abs(contract.strike - centre), underlying.strike_step)
    if rest or steps > MAX_OFFSET:
        return f"its strike is not within {MAX_OFFSET} steps of the money."
    out = (contract.strike > centre) == (contract.kind == Instrument.Kind.CALL)
    return {
        "action": leg.action,
        "lots": leg.lots,
        "underlying": underlying.symbol,
        "slot": slot,
        "strike_mode": "ATM" if steps == 0 else "OTM" if out else "ITM",
        "strike_offset": int(steps),
        "kind": contract.kind,
        "hedges": "auto",
    }
