"""The market the accounts trade in: clock, listing and prices behind one door."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from simulator.clock import IST, SimClock
from simulator.instruments import OPTIONAL_UNDERLYINGS, UNDERLYINGS, Contract, Listing, Underlying, build_listing
from simulator.prices import PriceModel
from simulator.sessions import is_open, session


@dataclass(frozen=True, slots=True)
class Quote:
    """Rupees and units; an index has bid = ask = 0."""

    ltp: float
    bid: float
    ask: float
    open: float
    high: float
    low: float
    prev_close: float
    volume: int
    oi: int
    ltq: int


class Market:
    """Shared by all accounts. `lots` overrides lot sizes by underlying name; `tick_s` is model time per tick."""

    def __init__(
        self,
        clock: SimClock,
        seed: int,
        *,
        always_open: bool = False,
        tick_s: float = 0.5,
        lots: Mapping[str, int] | None = None,
        optional_underlyings: bool = False,
        strikes_each_side: int = 40,
    ) -> None:
        self.clock = clock
        self.always_open = always_open
        self.tick_s = tick_s
        chosen = UNDERLYINGS + (OPTIONAL_UNDERLYINGS if optional_underlyings else ())
        self.underlyings: dict[str, Underlying] = {u.name: replace(u, lot=(lots or {}).get(u.name, u.lot)) for u in chosen}
        self.strikes_each_side = strikes_each_side
        self._centres: dict[tuple[str, date], float] = {}
        self._settled: dict[str, float] = {}
        self._listed_for = self._listing_day()
        self.prices = PriceModel(self._list({}), self.underlyings.values(), seed, clock.now())

    @property
    def listing(self) -> Listing:
        return self.prices.listing

    def is_open(self) -> bool:
        return self.always_open or is_open(self.clock.now())

    def find(self, exchange: str, symbol: str) -> Contract | None:
        return self.listing.find(exchange, symbol)

    def underlying_of(self, contract: Contract) -> Underlying | None:
        return self.underlyings.get(contract.name)

    def quote(self, exchange: str, symbol: str) -> Quote | None:
        i = self.listing.by_key.get((exchange, symbol))
        return None if i is None else self.quote_at(i)

    def last(self, exchange: str, symbol: str) -> float | None:
        """The last price alone: a book asks for it row by row."""
        i = self.listing.by_key.get((exchange, symbol))
        return None if i is None else self._last_at(i)

    def _last_at(self, i: int) -> float:
        return round(float(self.prices.ltp[i]), 2)

    def quote_at(self, i: int) -> Quote:
        p = self.prices
        return Quote(
            ltp=self._last_at(i),
            bid=float(p.bid[i]),
            ask=float(p.ask[i]),
            open=round(float(p.opened[i]), 2),
            high=round(float(p.high[i]), 2),
            low=round(float(p.low[i]), 2),
            prev_close=round(float(p.previous[i]), 2),
            volume=int(p.volume[i]),
            oi=int(p.oi[i]),
            ltq=int(p.ltq[i]) if self.listing.contracts[i].kind != "INDEX" else 0,
        )

    def spot(self, name: str) -> float:
        return round(self.prices.spots[name].level, 2)

    def forward(self, name: str, expiry: date) -> float:
        return self.prices.forward(name, expiry, self.clock.now())

    def step(self) -> bool:
        """One tick; False when the session is closed and nothing moved."""
        self.roll()
        if not self.is_open():
            return False
        self.prices.step(self.clock.now(), self.tick_s)
        return True

    def roll(self) -> bool:
        """Relist when the day (or an expiry session) is over; True when the listing changed."""
        day = self._listing_day()
        if day == self._listed_for:
            return False
        new_day = day[0] != self._listed_for[0]
        self._listed_for = day
        carried = self.prices.carried(new_day)
        last = self._last_prices()
        if new_day:
            for spot in self.prices.spots.values():
                spot.previous = spot.level
        spots = {name: self.prices.spots[name].level for name in self.underlyings}
        self.prices.load(self._list(spots), self.clock.now(), carried)
        listed = {c.symbol for c in self.listing.contracts}
        self._settled.update({symbol: price for symbol, price in last.items() if symbol not in listed})
        return True

    def settlement(self, symbol: str) -> float:
        """Last price of a contract that is no longer listed; 0.0 when it was never seen."""
        return self._settled.get(symbol, 0.0)

    def set_price(self, exchange: str, symbol: str, price: float, hold: bool = True) -> None:
        """Pin one price. An index moves its whole surface; without `hold` the walk goes on from there.

        Raises KeyError for an unknown symbol.
        """
        contract = self.find(exchange, symbol)
        if contract is None:
            raise KeyError(symbol)
        spot = self.prices.spots.get(contract.name) if contract.expiry is None else None
        if spot is not None:
            spot.path = []
            spot.move(price)
            spot.held = hold
        else:
            self.prices.held[contract.key] = price
        self.prices.reprice(self.clock.now())
        if spot is None and not hold:
            # The pin lasts until the next tick recomputes the contract.
            del self.prices.held[contract.key]

    def release(self, exchange: str, symbol: str) -> None:
        """Let a pinned price go again."""
        contract = self.find(exchange, symbol)
        if contract is None:
            raise KeyError(symbol)
        self.prices.held.pop(contract.key, None)
        if contract.expiry is None and contract.name in self.prices.spots:
            self.prices.spots[contract.name].held = False

    def set_path(self, name: str, points: list[tuple[float, float]]) -> None:
        """Lead a spot along (seconds from now, price) points, straight lines between; then it walks on."""
        spot = self.prices.spots[name]
        start = self.clock.now().timestamp()
        spot.held = False
        spot.path = [(start, spot.level)] + [(start + s, p) for s, p in points]

    def shock(self, name: str, percent: float) -> None:
        spot = self.prices.spots[name]
        spot.path = []
        spot.move(spot.level * (1.0 + percent / 100.0))
        self.prices.reprice(self.clock.now())

    def set_iv(self, name: str, *, vol: float | None = None, add: float = 0.0) -> None:
        """At-the-money volatility as a fraction (0.13 = 13 %)."""
        smile = self.prices.smiles[name]
        smile.base = max((smile.atm if vol is None else vol) + add, 0.01)
        smile.away = 0.0
        self.prices.reprice(self.clock.now())

    def _last_prices(self) -> dict[str, float]:
        return {c.symbol: float(self.prices.ltp[i]) for i, c in enumerate(self.listing.contracts) if c.expiry}

    def to_state(self) -> dict[str, Any]:
        centres = [[name, day.isoformat(), centre] for (name, day), centre in self._centres.items()]
        return {
            "day": self.clock.now().date().isoformat(),
            "centres": centres,
            "settled": {**self._settled, **self._last_prices()},
            "prices": self.prices.to_state(),
        }

    def adopt(self, state: dict[str, Any]) -> None:
        self._centres = {(n, date.fromisoformat(d)): c for n, d, c in state["centres"]}
        self._settled = dict(state["settled"])
        now = self.clock.now()
        self.prices.listing = self._list({})
        self.prices.adopt(state["prices"], now, state["day"] == now.date().isoformat())

    def _listing_day(self) -> tuple[date, bool]:
        """The day, and whether today's expiries are already over."""
        now = self.clock.now()
        return now.date(), not self.always_open and _after_session(now)

    def _list(self, spots: Mapping[str, float]) -> Listing:
        day, over = self._listed_for
        listing = build_listing(day, self.underlyings.values(), self._centres, spots, self.strikes_each_side)
        if not over:
            return listing
        return Listing(c for c in listing.contracts if c.expiry != day)


def _after_session(now: datetime) -> bool:
    hours = session(now.astimezone(IST).date())
    return hours is not None and now >= hours[1]
