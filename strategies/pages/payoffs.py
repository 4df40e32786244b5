"""The payoff of a draft or a basket at present prices, and of a live run at its own fills, ready to draw. Nothing here
decides."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from math import isfinite

from algomirror.kernel import clock
from marketdata import quotes as store
from marketdata import selectors
from marketdata.domain.quotes import Quote
from marketdata.models import Instrument, Underlying
from strategies.domain.payoff import Payoff, PayoffLeg, WhatIf, payoff, vol_of
from strategies.domain.tickets import TicketLeg
from strategies.services.resolving import Resolved, contracts_by_key, fresh_quotes, years_to
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


def of_resolved(found: Resolved, what_if: WhatIf) -> list[Curve]:
    """Of one account with the lots as typed: a curve per underlying, none where a leg of it is not priced."""
    underlyings = {choice.leg.number: choice.leg.underlying for choice in found.choices}
    names = sorted(set(underlyings.values()))
    curves = [_resolved_curve(name, found, underlyings, _for_all(what_if, names)) for name in names]
    return [curve for curve in curves if curve is not None]


def _resolved_curve(name: str, found: Resolved, underlyings: Mapping[int, str], what_if: WhatIf) -> Curve | None:
    lines = [line for line in found.lines if underlyings.get(line.leg) == name]
    if len(lines) != sum(underlying == name for underlying in underlyings.values()):
        return None
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
        for line in lines
    ]
    return _curve(name, legs, spot, what_if, Decimal(0))


def of_run(run: Run, what_if: WhatIf) -> list[Curve]:
    """Of what the run holds on all accounts, at its entry prices, with what it has realised in the same underlying.

    A curve per underlying; none where a price is missing.
    """
    held = list(Position.objects.filter(book__run=run))
    contracts = contracts_by_key(position.key for position in held)
    if any(position.units and position.key not in contracts for position in held):
        return []
    by_name: dict[str, list[Position]] = defaultdict(list)
    for position in held:
        if position.key in contracts:
            by_name[contracts[position.key].underlying].append(position)
    curves = [_held_curve(name, by_name[name], contracts, _for_all(what_if, by_name)) for name in sorted(by_name)]
    return [curve for curve in curves if curve is not None]


def _for_all(what_if: WhatIf, names: Collection[str]) -> WhatIf:
    """One index level cannot speak for several indices."""
    return what_if if len(names) == 1 else replace(what_if, spot=None)


def _held_curve(name: str, held: Sequence[Position], contracts: Mapping[str, Instrument], what_if: WhatIf) -> Curve | None:
    open_now = [(contracts[one.key], one.units, one.open_value / abs(one.units)) for one in held if one.units]
    quotes = store.get([selectors.index_key(name), *(contract.key for contract, *_ in open_now)])
    return _marked(name, open_now, quotes, what_if, sum((position.realised for position in held), Decimal(0)))


def of_basket(chosen: Sequence[TicketLeg]) -> list[Curve]:
    """Of contracts with their lots, entered at present prices.

    A curve per underlying; none where a contract is not listed, or it or its index has no fresh price.
    """
    contracts = contracts_by_key(leg.key for leg in chosen)
    if any(leg.key not in contracts for leg in chosen):
        return []
    by_name: dict[str, list[TicketLeg]] = defaultdict(list)
    for leg in chosen:
        by_name[contracts[leg.key].underlying].append(leg)
    quotes = fresh_quotes([*map(selectors.index_key, by_name), *contracts])
    curves = [_chosen_curve(name, by_name[name], contracts, quotes) for name in sorted(by_name)]
    return [curve for curve in curves if curve is not None]


def _chosen_curve(
    name: str, chosen: Sequence[TicketLeg], contracts: Mapping[str, Instrument], quotes: Mapping[str, Quote]
) -> Curve | None:
    held = [(contracts[leg.key], leg.lots * contracts[leg.key].lot_units, leg.action, leg.key) for leg in chosen]
    if any(key not in quotes for *_, key in held):
        return None
    entered = [
        (contract, units if action == "BUY" else -units, quotes[key].deciding_price) for contract, units, action, key in held
    ]
    return _marked(name, entered, quotes, WhatIf(), Decimal(0))


def _marked(
    name: str,
    held: Sequence[tuple[Instrument, int, Decimal]],
    quotes: Mapping[str, Quote],
    what_if: WhatIf,
    realised: Decimal,
) -> Curve | None:
    """Of signed units of these contracts, each with the price it was entered at; None where nothing is held or one of them,
    or the index, has no price."""
    key, now = selectors.index_key(name), clock.now()
    if not held or key not in quotes or any(contract.key not in quotes for contract, *_ in held):
        return None
    spot = quotes[key].last_price
    legs: list[PayoffLeg] = []
    for contract, units, paid in held:
        if contract.expiry is None:
            return None
        years, mark = years_to(contract.exchange, contract.expiry, now), quotes[contract.key].deciding_price
        legs.append(_leg(contract.kind, contract.strike, units, paid, mark, spot, years))
    return _curve(name, legs, spot, what_if, realised)


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
