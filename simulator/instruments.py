"""Underlyings, contracts, expiries and the listing that holds them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

from simulator.sessions import trading_day_on_or_before

Kind = Literal["INDEX", "EQ", "FUT", "CE", "PE"]
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
TUESDAY, THURSDAY = 1, 3
TICK = 0.05


@dataclass(frozen=True, slots=True)
class Underlying:
    """One index with derivatives. `freeze` is the venue's limit; `listed_freeze` what /symbol says."""

    name: str
    exchange: str
    fo_exchange: str
    base: float
    lot: int
    step: int
    freeze: int
    listed_freeze: int
    weekday: int
    weekly: bool
    vol: float
    skew: float
    curvature: float


UNDERLYINGS: tuple[Underlying, ...] = (
    Underlying("NIFTY", "NSE_INDEX", "NFO", 26000.0, 65, 50, 1800, 1800, TUESDAY, True, 0.125, -0.16, 0.10),
    Underlying("BANKNIFTY", "NSE_INDEX", "NFO", 58500.0, 30, 100, 600, 600, TUESDAY, False, 0.145, -0.14, 0.09),
    Underlying("SENSEX", "BSE_INDEX", "BFO", 85000.0, 20, 100, 1000, 1, THURSDAY, True, 0.126, -0.16, 0.10),
)
OPTIONAL_UNDERLYINGS: tuple[Underlying, ...] = (
    Underlying("FINNIFTY", "NSE_INDEX", "NFO", 27500.0, 60, 50, 1800, 1200, TUESDAY, False, 0.14, -0.14, 0.09),
    Underlying("MIDCPNIFTY", "NSE_INDEX", "NFO", 13800.0, 120, 25, 2800, 2800, TUESDAY, False, 0.17, -0.12, 0.08),
)
EQUITIES: dict[str, float] = {
    "RELIANCE": 1480.0,
    "SBIN": 972.0,
    "HDFCBANK": 1005.0,
    "INFY": 1540.0,
    "TCS": 3100.0,
}
VIX = "INDIAVIX"


@dataclass(frozen=True, slots=True)
class Contract:
    symbol: str
    exchange: str
    name: str
    kind: Kind
    lot: int
    tick: float = TICK
    expiry: date | None = None
    strike: float = 0.0
    listed_freeze: int = 1
    freeze: int | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.exchange, self.symbol

    @property
    def is_option(self) -> bool:
        return self.kind in ("CE", "PE")


def compact(day: date) -> str:
    """25AUG26, as inside symbols."""
    return f"{day.day:02d}{MONTHS[day.month - 1]}{day.year % 100:02d}"


def dashed(day: date | None) -> str:
    """25-AUG-26, as /expiry answers; empty when there is no expiry."""
    return "" if day is None else f"{day.day:02d}-{MONTHS[day.month - 1]}-{day.year % 100:02d}"


def strike_text(strike: float) -> str:
    return str(int(strike)) if strike == int(strike) else str(strike)


def last_weekday(year: int, month: int, weekday: int) -> date:
    first_of_next = date(year + month // 12, month % 12 + 1, 1)
    last = first_of_next - timedelta(days=1)
    return last - timedelta(days=(last.weekday() - weekday) % 7)


def monthly_expiries(today: date, weekday: int, count: int = 3) -> list[date]:
    found: list[date] = []
    year, month = today.year, today.month
    while len(found) < count:
        expiry = trading_day_on_or_before(last_weekday(year, month, weekday))
        if expiry >= today:
            found.append(expiry)
        year, month = year + month // 12, month % 12 + 1
    return found


def weekly_expiries(today: date, weekday: int, count: int = 5) -> list[date]:
    # A holiday may pull next week's nominal day to today or before it: start one week early.
    nominal = today - timedelta(days=7) + timedelta(days=(weekday - today.weekday()) % 7)
    found: list[date] = []
    while len(found) < count:
        expiry = trading_day_on_or_before(nominal)
        if expiry >= today:
            found.append(expiry)
        nominal += timedelta(days=7)
    return found


def option_expiries(underlying: Underlying, today: date) -> list[date]:
    """Listed option expiries, ascending, today included."""
    dates = set(monthly_expiries(today, underlying.weekday))
    if underlying.weekly:
        dates.update(weekly_expiries(today, underlying.weekday))
    return sorted(dates)


class Listing:
    """What is listed on one day, with the lookups the endpoints need."""

    def __init__(self, contracts: Iterable[Contract]) -> None:
        self.contracts: tuple[Contract, ...] = tuple(contracts)
        self.by_key: dict[tuple[str, str], int] = {c.key: i for i, c in enumerate(self.contracts)}
        self._strikes: dict[tuple[str, str, date], set[float]] = {}
        for c in self.contracts:
            if c.is_option and c.expiry is not None:
                self._strikes.setdefault((c.name, c.exchange, c.expiry), set()).add(c.strike)

    def find(self, exchange: str, symbol: str) -> Contract | None:
        index = self.by_key.get((exchange, symbol))
        return None if index is None else self.contracts[index]

    def strikes(self, name: str, exchange: str, expiry: date) -> list[float]:
        return sorted(self._strikes.get((name, exchange, expiry), ()))

    def expiries(self, name: str, exchange: str, options: bool) -> list[date]:
        return sorted(
            {
                c.expiry
                for c in self.contracts
                if c.expiry is not None and c.name == name and c.exchange == exchange and c.is_option == options
            }
        )


def build_listing(
    today: date,
    underlyings: Iterable[Underlying],
    centres: dict[tuple[str, date], float],
    spots: Mapping[str, float],
    strikes_each_side: int = 40,
) -> Listing:
    """All contracts of `today`. A new expiry is centred on the spot of the moment and remembered in `centres`."""
    contracts: list[Contract] = []
    underlyings = tuple(underlyings)
    contracts += [Contract(u.name, u.exchange, u.name, "INDEX", 1) for u in underlyings]
    contracts.append(Contract(VIX, "NSE_INDEX", VIX, "INDEX", 1))
    for venue in ("NSE", "BSE"):
        contracts += [Contract(name, venue, name, "EQ", 1) for name in EQUITIES]
    for u in underlyings:
        base = Contract("", u.fo_exchange, u.name, "FUT", u.lot, listed_freeze=u.listed_freeze, freeze=u.freeze)
        for expiry in option_expiries(u, today):
            spot = spots.get(u.name, u.base)
            centre = centres.setdefault((u.name, expiry), round(spot / u.step) * float(u.step))
            contracts += _chain(base, u, expiry, centre, strikes_each_side)
        for expiry in monthly_expiries(today, u.weekday):
            contracts.append(replace(base, symbol=f"{u.name}{compact(expiry)}FUT", expiry=expiry))
    return Listing(contracts)


def _chain(base: Contract, u: Underlying, expiry: date, centre: float, each_side: int) -> list[Contract]:
    chain: list[Contract] = []
    kinds: tuple[Kind, ...] = ("CE", "PE")
    for i in range(-each_side, each_side + 1):
        strike = centre + i * u.step
        if strike <= 0:
            continue
        for kind in kinds:
            symbol = f"{u.name}{compact(expiry)}{strike_text(strike)}{kind}"
            chain.append(replace(base, symbol=symbol, kind=kind, expiry=expiry, strike=strike))
    return chain
