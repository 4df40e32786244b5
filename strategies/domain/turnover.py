"""The turnover of futures and options as Indian income tax counts it. A rule of arithmetic, no advice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Literal

from trading.domain.positions import Net, Traded, add

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Dealt:
    """One fill; `place` tells books, instruments and products apart. `units` > 0, `value` rupees, positive."""

    place: tuple[int, tuple[str, str, str]]
    order_id: int
    day: date
    action: Literal["BUY", "SELL"]
    units: int
    value: Decimal


@dataclass(frozen=True, slots=True)
class ClosedTrade:
    """What one order that closed something realised: rupees, + favourable, at average cost, before charges."""

    place: tuple[int, tuple[str, str, str]]
    order_id: int
    day: date
    result: Decimal


def closed_trades(fills: Iterable[Dealt]) -> list[ClosedTrade]:
    """One for each order that closed units, in the order of their first closing fill.

    The fills of an order are one trade, in however many pieces they came: a favourable and an unfavourable piece of it are
    set off against each other. A settlement at expiry closes like an order. `day` is that of its last closing fill.
    Fills oldest first, from each place's first on.
    """
    nets: dict[tuple[int, tuple[str, str, str]], Net] = {}
    found: dict[tuple[tuple[int, tuple[str, str, str]], int], ClosedTrade] = {}
    for fill in fills:
        before = nets.get(fill.place, Net())
        after = nets[fill.place] = add(before, Traded(fill.action, fill.units, fill.value))
        if before.units == 0 or (before.units > 0) == (fill.action == "BUY"):
            continue
        key, gain = (fill.place, fill.order_id), after.realised - before.realised
        known = found.get(key, ClosedTrade(fill.place, fill.order_id, fill.day, ZERO))
        found[key] = replace(known, day=fill.day, result=known.result + gain)
    return list(found.values())


def turnover(results: Iterable[Decimal]) -> Decimal:
    """Rupees, never negative: the sum of what each closed trade gained or lost, every loss counted as if it were a gain.

    Source: the guidance note on tax audit (section 44AB) of the Institute of Chartered Accountants of India. Turnover of
    derivatives is the total of favourable and unfavourable differences. Until its seventh edition the premium received for
    options that were sold was added; since the eighth (2022) it is not, where it is already in the difference. Nothing is
    set off between trades, and charges do not enter.
    """
    return sum((abs(result) for result in results), ZERO)


def tax_year_of(day: date) -> int:
    """The calendar year in which the tax year of `day` begins: it lasts from 1 April to 31 March."""
    return day.year if day.month >= 4 else day.year - 1


def first_and_last(year: int) -> tuple[date, date]:
    """2026 is 1 April 2026 to 31 March 2027."""
    return date(year, 4, 1), date(year + 1, 3, 31)


def months_of(year: int) -> list[date]:
    """The first day of each month, April to March."""
    return [date(year, month, 1) for month in range(4, 13)] + [date(year + 1, month, 1) for month in range(1, 4)]
