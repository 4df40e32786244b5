"""The payoff of a draft at present prices, and of a live run at its own fills, ready to draw. Nothing here decides."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite

from algomirror.kernel import clock
from marketdata import quotes as store
from marketdata import selectors
from marketdata.models import Underlying
from strategies.domain.payoff import Payoff, PayoffLeg, WhatIf, payoff, vol_of
from strategies.services.resolving import Resolved, contracts_by_key, years_to
from trading.models import Position, Run

ASSUMPTION = "index lognormal at the mean IV of the legs, without drift; futures at the index"


@dataclass(frozen=True, slots=True)
class Curve:
    """`data` is JSON for static/js/payoff.js; the rest are figures, None where unlimited or unknown."""

    underlying: str
    data: str
    spot: Decimal
    value_now: Decimal
    max_profit: Decimal | None
    max_loss: Decimal | None
    breakevens: tuple[Decimal, ...]
    pop: Decimal | None
    iv: Decimal
    delta: Decimal
    gamma: Decimal
    theta: Decimal
    vega: Decimal
    assumption: str = ASSUMPTION


def of_resolved(found: Resolved, what_if: WhatIf) -> Curve | None:
    """Of one account with the lots as typed. None unless every leg is priced and all have one underlying."""
    names = {choice.leg.underlying for choice in found.choices}
    if len(names) != 1 or len(found.lines) != len(found.choices) or not found.lines:
        return None
    name = names.pop()
    text = found.snapshot["spot"].get(name)
    spot = None if text is None else Decimal(text)
    row = Underlying.objects.filter(symbol=name).first()
    if spot is None or row is None:
        return None
    legs = [
        _leg(
            line.contract.kind,
            line.contract.strike,
            line.units if line.action == "BUY" else -line.units,
            line.decision_price,
            line.decision_price,
            spot,
            years_to(row.derivative_exchange, line.contract.expiry, found.at),
        )
        for line in found.lines
    ]
    return _curve(name, legs, spot, what_if, Decimal(0))


def of_run(run: Run, what_if: WhatIf) -> Curve | None:
    """Of what the run holds on all accounts, at its entry prices, with what it has realised. None while a price is missing."""
    held = list(Position.objects.filter(book__run=run))
    open_now = [position for position in held if position.units]
    contracts = contracts_by_key(position.key for position in open_now)
    names = {contracts[position.key].underlying for position in open_now if position.key in contracts}
    if len(names) != 1 or any(position.key not in contracts for position in open_now):
        return None
    name = names.pop()
    key = selectors.index_key(name)
    quotes = store.get([key, *(position.key for position in open_now)])
    if key not in quotes or any(position.key not in quotes for position in open_now):
        return None
    spot, now = quotes[key].last_price, clock.now()
    legs: list[PayoffLeg] = []
    for position in open_now:
        contract = contracts[position.key]
        if contract.expiry is None:
            return None
        years = years_to(contract.exchange, contract.expiry, now)
        entry, mark = position.open_value / abs(position.units), quotes[position.key].deciding_price
        legs.append(_leg(contract.kind, contract.strike, position.units, entry, mark, spot, years))
    return _curve(name, legs, spot, what_if, sum((position.realised for position in held), Decimal(0)))


def _leg(kind: str, strike: Decimal | None, units: int, paid: Decimal, mark: Decimal, spot: Decimal, years: float) -> PayoffLeg:
    level = float(strike or 0)
    if kind == "FUT":
        # Drawn at the index: what a future costs above it is carried off with its price.
        return PayoffLeg(kind, 0.0, units, float(paid - mark + spot), years, 0.0)
    return PayoffLeg(kind, level, units, float(paid), years, vol_of(kind, float(mark), float(spot), level, years))


def _curve(name: str, legs: Sequence[PayoffLeg], spot: Decimal, what_if: WhatIf, realised: Decimal) -> Curve:
    found = payoff(legs, float(spot), what_if, realised=float(realised))
    return Curve(
        underlying=name,
        data=_data(found),
        spot=_two(found.spot),
        value_now=_two(found.value_now),
        max_profit=None if found.max_profit is None else _two(found.max_profit),
        max_loss=None if found.max_loss is None else _two(found.max_loss),
        breakevens=tuple(_two(level) for level in found.breakevens),
        pop=None if found.pop is None else _two(found.pop * 100),
        iv=_two(found.pop_vol * 100),
        delta=_two(found.net.delta),
        gamma=Decimal(f"{found.net.gamma:.4f}"),
        theta=_two(found.net.theta),
        vega=_two(found.net.vega),
    )


def _data(found: Payoff) -> str:
    def drawn(values: Sequence[float]) -> list[float | None]:
        return [round(value, 2) if isfinite(value) else None for value in values]

    content = {
        "x": drawn(found.spots),
        "expiry": drawn(found.expiry),
        "now": drawn(found.now),
        "spot": round(found.spot, 2),
        "breakevens": drawn(found.breakevens),
    }
    return json.dumps(content)


def _two(value: float) -> Decimal:
    return Decimal(f"{value:.2f}")
