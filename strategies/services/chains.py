"""The part of the option chain that a leg searches for its strike, in the snapshot of the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from marketdata import selectors
from marketdata.domain.quotes import Quote
from strategies.domain.legs import LegSpec
from strategies.domain.resolve import Market
from strategies.domain.strikes import CHAIN_WIDTH
from strategies.services.pricing import fresh_quotes

SEARCHED = frozenset({"PREMIUM", "DELTA", "STRADDLE"})


@dataclass(frozen=True, slots=True)
class Chained:
    """Fresh quotes by key, and where each key stands: (underlying, expiry, type, strike)."""

    quotes: dict[str, Quote]
    places: dict[str, tuple[str, date, str, Decimal]]

    def by_strike(self, underlying: str) -> dict[tuple[date, str], dict[Decimal, Quote]]:
        found: dict[tuple[date, str], dict[Decimal, Quote]] = {}
        for key, quote in self.quotes.items():
            name, expiry, kind, strike = self.places[key]
            if name == underlying:
                found.setdefault((expiry, kind), {})[strike] = quote
        return found


def read(legs: Sequence[LegSpec], markets: Mapping[str, Market], *, ask: bool) -> Chained:
    """Quotes of the 50 strikes on each side of spot, for the expiries in which some leg searches; empty when none does."""
    wanted: set[tuple[str, date]] = set()
    for leg in legs:
        market = markets.get(leg.underlying)
        expiry = None if market is None or leg.is_future else market.expiry(leg)
        if leg.strike_mode in SEARCHED and market is not None and market.spot is not None and expiry is not None:
            wanted.add((leg.underlying, expiry))
    places: dict[str, tuple[str, date, str, Decimal]] = {}
    for name, expiry in sorted(wanted):
        market = markets[name]
        listed = market.strikes.get(expiry, ())
        if not listed or market.spot is None:
            continue
        spot = market.spot
        centre = min(listed, key=lambda strike: abs(strike - spot))
        for strike, pair in selectors.chain_instruments(name, expiry, centre, CHAIN_WIDTH).items():
            places.update({row.key: (name, expiry, kind, strike) for kind, row in pair.items()})
    return Chained(fresh_quotes(places, ask=ask) if places else {}, places)
