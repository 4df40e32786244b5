"""One snapshot of the market, taken once for all legs of all accounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from algomirror.kernel import clock
from marketdata import calendar, selectors
from marketdata.domain.quotes import Quote
from marketdata.models import Instrument, Underlying
from risk.domain.pretrade import Denial
from strategies.domain import resolve as rules
from strategies.domain.black76 import YEAR_S
from strategies.domain.legs import Kind, LegSpec
from strategies.domain.resolve import Choice, Contract, Line, Market
from strategies.services import chains
from strategies.services.pricing import fresh_quotes, quote_row

__all__ = ["Resolved", "contract_of", "contracts_by_key", "fresh_quotes", "quote_row", "resolve", "years_to"]


@dataclass(frozen=True, slots=True)
class Resolved:
    """What the legs mean now, what speaks against it, and the numbers that were used."""

    at: datetime
    choices: list[Choice]
    contracts: dict[int, Contract]
    lines: list[Line]
    denials: list[Denial]
    snapshot: dict[str, Any]

    @property
    def net_premium(self) -> Decimal:
        return rules.net_premium(self.lines)


def resolve(legs: Sequence[LegSpec], *, ask: bool = True) -> Resolved:
    """Resolve and price all legs. With `ask`, prices that are missing are asked for by REST first: not in a transaction."""
    now = clock.now()
    names = sorted({leg.underlying for leg in legs})
    rows = {row.symbol: row for row in Underlying.objects.filter(symbol__in=names, enabled=True)}
    spots = fresh_quotes([selectors.index_key(name) for name in rows], ask=ask)
    markets = {name: _market(row, spots.get(selectors.index_key(name)), legs, now) for name, row in rows.items()}
    chained = chains.read(legs, markets, ask=ask)
    markets = {name: replace(market, chains=chained.by_strike(name)) for name, market in markets.items()}
    choices, denials = rules.choose(legs, markets)
    contracts = _contracts(choices)
    # One snapshot: what a strike was found by is also what its line is priced by.
    wanted = [contract.key for contract in contracts.values()]
    quotes = {key: chained.quotes[key] for key in wanted if key in chained.quotes}
    quotes |= fresh_quotes([key for key in wanted if key not in quotes], ask=ask)
    lines, more = rules.lines(choices, contracts, quotes)
    return Resolved(
        at=now,
        choices=choices,
        contracts=contracts,
        lines=lines,
        denials=[*denials, *more],
        snapshot={
            "at": now.isoformat(),
            "spot": {name: str(market.spot) if market.spot is not None else None for name, market in markets.items()},
            "quotes": {key: quote_row(quote, now) for key, quote in {**spots, **quotes}.items()},
            "chosen": [_chosen(choice) for choice in choices],
        },
    )


def _chosen(choice: Choice) -> dict[str, Any]:
    return {
        "leg": choice.leg.number,
        "rule": f"{choice.leg.strike_text} {choice.leg.expiry_text}".strip(),
        "expiry": choice.expiry.isoformat(),
        "strike": None if choice.strike is None else str(choice.strike),
        "atm": None if choice.atm_strike is None else str(choice.atm_strike),
    }


def _market(row: Underlying, spot: Quote | None, legs: Sequence[LegSpec], now: datetime) -> Market:
    slots = {slot.value: day for slot, day in selectors.slots(row.symbol, now).items()}
    own = [leg for leg in legs if leg.underlying == row.symbol]
    dated = {leg.expiry_date for leg in own if leg.expiry_date is not None and not leg.is_future}
    days = {slots[leg.slot] for leg in own if leg.slot in slots and not leg.is_future}
    days |= dated & set(selectors.expiries(row.symbol, "OPT", now)) if dated else set()
    market = Market(
        spot=None if spot is None else spot.last_price,
        step=row.strike_step,
        slots=slots,
        strikes={day: selectors.strikes(row.symbol, day) for day in days},
        years={day: years_to(row.derivative_exchange, day, now) for day in days},
    )
    if not any(leg.is_future for leg in own):
        return market
    futures = {slot.value: day for slot, day in selectors.slots(row.symbol, now, "FUT").items()}
    return replace(market, future_slots=futures, future_dates=selectors.expiries(row.symbol, "FUT", now))


def years_to(exchange: str, day: date, now: datetime) -> float:
    """Years from now to the close of that day; 0 when it has passed or the calendar knows no session."""
    close = calendar.session_close(exchange, day)
    return 0.0 if close is None else max((close - now).total_seconds(), 0.0) / YEAR_S


def _contracts(choices: Sequence[Choice]) -> dict[int, Contract]:
    found: dict[int, Contract] = {}
    for choice in choices:
        leg = choice.leg
        if choice.strike is None:
            row = selectors.future(leg.underlying, choice.expiry)
        else:
            row = selectors.option(leg.underlying, choice.expiry, choice.strike, "CE" if leg.kind == "CE" else "PE")
        contract = None if row is None else contract_of(row)
        if contract is not None:
            found[leg.number] = contract
    return found


def contract_of(row: Instrument) -> Contract | None:
    """None for what is no listed option or future."""
    kinds: dict[str, Kind] = {Instrument.Kind.CALL: "CE", Instrument.Kind.PUT: "PE", Instrument.Kind.FUTURE: "FUT"}
    kind = kinds.get(row.kind)
    if kind is None or row.expiry is None or (row.strike is None) != (kind == "FUT"):
        return None
    return Contract(
        exchange=row.exchange,
        symbol=row.symbol,
        expiry=row.expiry,
        strike=row.strike,
        kind=kind,
        lot_units=row.lot_units,
        tick=row.tick,
        freeze_units=row.freeze_units,
    )


def contracts_by_key(keys: Iterable[str]) -> Mapping[str, Instrument]:
    """Listed instruments by "EXCHANGE:SYMBOL" in one query per exchange."""
    by_exchange: dict[str, list[str]] = {}
    for key in keys:
        exchange, _, symbol = key.partition(":")
        by_exchange.setdefault(exchange, []).append(symbol)
    return {
        row.key: row
        for exchange, symbols in by_exchange.items()
        for row in Instrument.objects.filter(exchange=exchange, symbol__in=symbols)
    }
