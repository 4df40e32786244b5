"""The one price surface all accounts share: seeded spots, futures as forwards, options by Black-76."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.black76 import Floats, call_prices
from simulator.instruments import EQUITIES, TICK, VIX, Listing, Underlying
from simulator.sessions import expiry_moment

YEAR_S = 365.0 * 86400.0
TRADING_YEAR_S = 252.0 * 23100.0
CARRY = 0.053
EQUITY_VOL = 0.22
PULL_S = 7200.0
COMMON = 0.8
Ints = NDArray[np.int64]


@dataclass
class Spot:
    """An underlying level: a mean-reverting walk around `anchor` unless held or on a path."""

    name: str
    level: float
    anchor: float
    previous: float
    vol: float
    held: bool = False
    path: list[tuple[float, float]] = field(default_factory=list)

    def move(self, level: float) -> None:
        self.level = self.anchor = level

    def walk(self, shock: float, seconds: float, now: float) -> None:
        if self.path:
            self._follow(now)
        elif not self.held:
            away = math.log(self.level / self.anchor)
            away += -away * seconds / PULL_S + self.vol * math.sqrt(seconds / TRADING_YEAR_S) * shock
            self.level = self.anchor * math.exp(away)

    def _follow(self, now: float) -> None:
        times = [t for t, _ in self.path]
        self.move(float(np.interp(now, times, [p for _, p in self.path])))
        if now >= times[-1]:
            self.path = []


@dataclass
class Smile:
    base: float
    skew: float
    curvature: float
    away: float = 0.0

    @property
    def atm(self) -> float:
        return self.base * math.exp(self.away)


@dataclass(frozen=True)
class _Group:
    """Array positions of one underlying's contracts."""

    options: Ints
    strikes: Floats
    calls: NDArray[np.bool_]
    option_expiry: Ints
    futures: Ints
    future_expiry: Ints
    expiries: tuple[date, ...]


class PriceModel:
    """Arrays are aligned with `listing.contracts`; prices in rupees, quantities in units."""

    def __init__(self, listing: Listing, underlyings: Iterable[Underlying], seed: int, now: datetime) -> None:
        self.rng = np.random.default_rng(seed)
        self.underlyings = {u.name: u for u in underlyings}
        self.ticks = 0
        self.spots: dict[str, Spot] = {}
        for name, base, vol in self._opening_levels():
            level = base * (1.0 + 0.001 * float(self.rng.standard_normal()))
            self.spots[name] = Spot(name, level, level, base, vol)
        self.smiles = {u.name: Smile(u.vol, u.skew, u.curvature) for u in self.underlyings.values()}
        self.held: dict[tuple[str, str], float] = {}
        self.load(listing, now)

    def _opening_levels(self) -> list[tuple[str, float, float]]:
        indices = [(u.name, u.base, u.vol) for u in self.underlyings.values()]
        return indices + [(name, level, EQUITY_VOL) for name, level in EQUITIES.items()]

    def load(self, listing: Listing, now: datetime, carried: dict[tuple[str, str], list[float]] | None = None) -> None:
        """Adopt a listing; `carried` keeps [open, high, low, previous close, volume, oi] of known contracts."""
        self.listing = listing
        n = len(listing.contracts)
        self.lots: Ints = np.array([c.lot for c in listing.contracts], dtype=np.int64)
        self.groups = {name: self._group(name) for name in self.underlyings}
        self.ltp, self.bid, self.ask = np.zeros(n), np.zeros(n), np.zeros(n)
        self._liquidity = np.ones(n)
        self.previous = self._previous_closes(now)
        self.ltq: Ints = self.lots.copy()
        self._price(now)
        self.opened, self.high, self.low = self.ltp.copy(), self.ltp.copy(), self.ltp.copy()
        traded = np.array([c.kind != "INDEX" for c in listing.contracts])
        derivative = np.array([c.expiry is not None for c in listing.contracts])
        self.volume: Ints = np.where(traded, self.lots * np.rint(self._liquidity * 400), 0).astype(np.int64)
        self.oi: Ints = np.where(derivative, self.lots * (50 + np.rint(self._liquidity * 3000)), 0).astype(np.int64)
        self._traded = traded
        self._derivative = derivative
        for key, row in (carried or {}).items():
            i = listing.by_key.get(key)
            if i is not None:
                self.opened[i], self.high[i], self.low[i], self.previous[i] = row[:4]
                self.volume[i], self.oi[i] = int(row[4]), int(row[5])

    def _group(self, name: str) -> _Group:
        rows = [(i, c) for i, c in enumerate(self.listing.contracts) if c.name == name and c.expiry is not None]
        expiries = tuple(sorted({c.expiry for _, c in rows if c.expiry is not None}))
        place = {day: k for k, day in enumerate(expiries)}
        options = [(i, c) for i, c in rows if c.is_option]
        futures = [(i, c) for i, c in rows if not c.is_option]
        return _Group(
            options=np.array([i for i, _ in options], dtype=np.int64),
            strikes=np.array([c.strike for _, c in options]),
            calls=np.array([c.kind == "CE" for _, c in options], dtype=np.bool_),
            option_expiry=np.array([place[c.expiry] for _, c in options if c.expiry], dtype=np.int64),
            futures=np.array([i for i, _ in futures], dtype=np.int64),
            future_expiry=np.array([place[c.expiry] for _, c in futures if c.expiry], dtype=np.int64),
            expiries=expiries,
        )

    def step(self, now: datetime, seconds: float) -> None:
        """One tick: every spot, every smile, every contract. The draws never depend on who listens."""
        self.ticks += 1
        shocks = self.rng.standard_normal(len(self.spots) + 1)
        for shock, spot in zip(shocks[1:], self.spots.values(), strict=True):
            mixed = COMMON * float(shocks[0]) + math.sqrt(1 - COMMON**2) * float(shock)
            spot.walk(mixed, seconds, now.timestamp())
        for drift, smile in zip(self.rng.standard_normal(len(self.smiles)), self.smiles.values(), strict=True):
            smile.away += -smile.away * seconds / PULL_S + 0.3 * math.sqrt(seconds / TRADING_YEAR_S) * float(drift)
        self._price(now)
        self._trade()

    def reprice(self, now: datetime) -> None:
        """Recompute after a forced move, without a draw."""
        self._price(now)
        self._extremes()

    def _trade(self) -> None:
        luck = self.rng.random(len(self.lots))
        lots_done = np.floor(luck * self._liquidity * 8).astype(np.int64) * self._traded
        self.volume += lots_done * self.lots
        self.ltq = self.lots * (1 + np.floor(luck * 10)).astype(np.int64)
        drift = np.rint((luck - 0.5) * self._liquidity * 4).astype(np.int64) * self.lots * self._derivative
        self.oi = np.maximum(self.oi + drift, self.lots * self._derivative)
        self._extremes()

    def _extremes(self) -> None:
        np.maximum(self.high, self.ltp, out=self.high)
        np.minimum(self.low, self.ltp, out=self.low)

    def years(self, expiry: date, now: datetime) -> float:
        # Whole minutes, so that two runs with equal seeds agree although their ticks are not simultaneous.
        minute = now.replace(second=0, microsecond=0)
        return max((expiry_moment(expiry) - minute).total_seconds(), 60.0) / YEAR_S

    def forward(self, name: str, expiry: date, now: datetime) -> float:
        return self.spots[name].level * math.exp(CARRY * self.years(expiry, now))

    def vols(self, name: str, forward: Floats, strike: Floats, years: Floats) -> Floats:
        smile = self.smiles[name]
        distance = np.clip(np.log(strike / forward) / np.sqrt(years), -1.0, 1.0)
        term = 1.0 + 0.06 * np.sqrt(np.minimum(years, 1.0))
        return np.maximum(smile.atm * (term + smile.skew * distance + smile.curvature * distance**2 * 4), 0.03)

    def _previous_closes(self, now: datetime) -> Floats:
        levels = {name: spot.level for name, spot in self.spots.items()}
        for spot in self.spots.values():
            spot.level = spot.previous
        self._price(now - timedelta(days=1))
        for name, level in levels.items():
            self.spots[name].level = level
        return self.ltp.copy()

    def _price(self, now: datetime) -> None:
        for i, c in enumerate(self.listing.contracts):
            if c.expiry is not None:
                continue
            if c.kind == "EQ":
                self._quote_one(i, self.spots[c.name].level)
            else:
                level = self.smiles["NIFTY"].atm * 100.0 if c.symbol == VIX else self.spots[c.name].level
                self.ltp[i] = round(level, 2)
        for name, group in self.groups.items():
            self._price_group(name, group, now)
        for key, price in self.held.items():
            place = self.listing.by_key.get(key)
            if place is not None:
                self._pin(place, price)

    def _price_group(self, name: str, group: _Group, now: datetime) -> None:
        years = np.array([self.years(day, now) for day in group.expiries])
        forwards = self.spots[name].level * np.exp(CARRY * years)
        self._quote_many(group.futures, forwards[group.future_expiry], 0.00004, np.zeros(len(group.futures)))
        t = years[group.option_expiry]
        f = forwards[group.option_expiry]
        vol = self.vols(name, f, group.strikes, t)
        call = call_prices(f, group.strikes, t, vol)
        value = np.where(group.calls, call, call - (f - group.strikes))
        away = np.log(group.strikes / f) / (vol * np.sqrt(t))
        self._liquidity[group.options] = 60.0 * np.exp(-np.minimum(away * away, 12.0) / 2.0) + 0.2
        self._quote_many(group.options, value, 0.0012, away)

    def _quote_many(self, where: Ints, value: Floats, fraction: float, away: Floats) -> None:
        ltp = np.maximum(np.rint(value / TICK), 1.0)
        half = np.ceil(np.minimum(value, 4000.0) * fraction * (1.0 + 0.2 * np.minimum(np.abs(away), 8.0)) / TICK)
        half = np.maximum(half, 1.0)
        self.ltp[where] = np.round(ltp * TICK, 2)
        self.bid[where] = np.round(np.maximum(ltp - half, 1.0) * TICK, 2)
        self.ask[where] = np.round((ltp + half) * TICK, 2)

    def _quote_one(self, i: int, value: float) -> None:
        ltp = round(round(value / TICK) * TICK, 2)
        self.ltp[i], self.bid[i], self.ask[i] = ltp, round(ltp - 0.1, 2), round(ltp + 0.1, 2)

    def _pin(self, i: int, price: float) -> None:
        half = max(float(self.ask[i] - self.bid[i]) / 2.0, TICK) if self.listing.contracts[i].kind != "INDEX" else 0.0
        self.ltp[i] = price
        if half:
            self.bid[i] = max(round(round((price - half) / TICK) * TICK, 2), TICK)
            self.ask[i] = round(round((price + half) / TICK) * TICK, 2)

    def carried(self, new_day: bool) -> dict[tuple[str, str], list[float]]:
        """Day state of every contract, for `load`; a new day starts from last night's last price."""
        rows: dict[tuple[str, str], list[float]] = {}
        for i, c in enumerate(self.listing.contracts):
            last = float(self.ltp[i])
            day = [float(x[i]) for x in (self.opened, self.high, self.low, self.previous)]
            rows[c.key] = [last] * 4 + [0.0] if new_day else [*day, float(self.volume[i])]
            rows[c.key].append(float(self.oi[i]))
        return rows

    def to_state(self) -> dict[str, Any]:
        return {
            "ticks": self.ticks,
            "rng": json.dumps(self.rng.bit_generator.state),
            "spots": {n: [s.level, s.anchor, s.previous, s.held, s.path] for n, s in self.spots.items()},
            "smiles": {n: [s.base, s.away] for n, s in self.smiles.items()},
            "held": [[*key, price] for key, price in self.held.items()],
            "day": [[*key, row] for key, row in self.carried(new_day=False).items()],
        }

    def adopt(self, state: dict[str, Any], now: datetime, same_day: bool) -> None:
        self.ticks = state["ticks"]
        self.rng.bit_generator.state = json.loads(state["rng"])
        for name, (level, anchor, previous, held, path) in state["spots"].items():
            if name in self.spots:
                vol = self.spots[name].vol
                previous = previous if same_day else level
                self.spots[name] = Spot(name, level, anchor, previous, vol, held, [(t, p) for t, p in path])
        for name, (base, away) in state["smiles"].items():
            if name in self.smiles:
                self.smiles[name].base, self.smiles[name].away = base, away
        self.held = {(exchange, symbol): price for exchange, symbol, price in state["held"]}
        day = {(exchange, symbol): row for exchange, symbol, row in state["day"]}
        self.load(self.listing, now, day if same_day else None)
