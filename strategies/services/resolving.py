"""One snapshot of the market, taken once for all legs of all accounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from algomirror.kernel import clock
from marketdata import quotes as store
from marketdata import rest, selectors
from marketdata.domain.quotes import Quote
from marketdata.models import Instrument, Underlying
from risk.domain.pretrade import Denial
from strategies.domain import resolve as rules
from strategies.domain.legs import LegSpec
from strategies.domain.resolve import Choice, Contract, Line, Market


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
    choices, denials = rules.choose(legs, markets)
    contracts = _contracts(choices)
    quotes = fresh_quotes([contract.key for contract in contracts.values()], ask=ask)
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
        },
    )


def fresh_quotes(keys: Iterable[str], *, ask: bool = True) -> dict[str, Quote]:
    """Fresh prices by key; the missing ones are asked for once. What is absent is unknown."""
    wanted = list(keys)
    found = store.fresh(wanted, clock.now())
    missing = [key for key in wanted if key not in found]
    if missing and ask:
        rest.refresh(missing)
        found = store.fresh(wanted, clock.now())
    return found


def quote_row(quote: Quote, now: datetime) -> dict[str, Any]:
    return {
        "price": str(quote.deciding_price),
        "bid": None if quote.bid is None else str(quote.bid),
        "ask": None if quote.ask is None else str(quote.ask),
        "source": quote.source.value,
        "age_ms": max(round(quote.age_s(now) * 1000), 0),
    }


def _market(row: Underlying, spot: Quote | None, legs: Sequence[LegSpec], now: datetime) -> Market:
    slots = {slot.value: day for slot, day in selectors.slots(row.symbol, now).items()}
    days = {slots[leg.slot] for leg in legs if leg.underlying == row.symbol and leg.slot in slots}
    return Market(
        spot=None if spot is None else spot.last_price,
        step=row.strike_step,
        slots=slots,
        strikes={day: selectors.strikes(row.symbol, day) for day in days},
    )


def _contracts(choices: Sequence[Choice]) -> dict[int, Contract]:
    found: dict[int, Contract] = {}
    for choice in choices:
        row = selectors.option(choice.leg.underlying, choice.expiry, choice.strike, choice.leg.kind)
        contract = None if row is None else contract_of(row)
        if contract is not None:
            found[choice.leg.number] = contract
    return found


def contract_of(row: Instrument) -> Contract | None:
    """None for what is no listed option."""
    if row.expiry is None or row.strike is None or row.kind not in (Instrument.Kind.CALL, Instrument.Kind.PUT):
        return None
    return Contract(
        exchange=row.exchange,
        symbol=row.symbol,
        expiry=row.expiry,
        strike=row.strike,
        kind="CE" if row.kind == Instrument.Kind.CALL else "PE",
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
