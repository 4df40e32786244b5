"""The one P&L of the product: what decides is what is shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from marketdata.domain.quotes import Bounds, Quote, fresh_or_none

ZERO = Decimal(0)


class HasPosition(Protocol):
    @property
    def key(self) -> str: ...

    @property
    def units(self) -> int: ...

    @property
    def open_value(self) -> Decimal: ...

    @property
    def realised(self) -> Decimal: ...


@dataclass(frozen=True, slots=True)
class Pnl:
    """Rupees. `unrealised` is None when any open leg has no usable price; `partial` is the part that could be marked."""

    realised: Decimal
    unrealised: Decimal | None
    partial: Decimal = ZERO
    missing: tuple[str, ...] = ()

    @property
    def total(self) -> Decimal | None:
        return None if self.unrealised is None else self.realised + self.unrealised


def leg_unrealised(units: int, open_value: Decimal, mark: Decimal) -> Decimal:
    """Signed rupees: open units at `mark` against what they cost."""
    value = abs(units) * mark
    return value - open_value if units > 0 else open_value - value


def book_pnl(positions: Iterable[HasPosition], quotes: Mapping[str, Quote], now: datetime, bounds: Bounds) -> Pnl:
    """All or nothing: every open leg fresh, or the total is unknown."""
    realised = marked = ZERO
    missing: list[str] = []
    for position in positions:
        realised += position.realised
        if position.units == 0:
            continue
        quote = fresh_or_none(quotes.get(position.key), now, bounds)
        if quote is None:
            missing.append(position.key)
        else:
            marked += leg_unrealised(position.units, position.open_value, quote.deciding_price)
    return Pnl(realised, None if missing else marked, marked, tuple(sorted(set(missing))))


def run_pnl(books: Iterable[Pnl]) -> Pnl:
    """The sum over books; unknown as soon as one is."""
    realised = partial = ZERO
    unknown = False
    missing: set[str] = set()
    for pnl in books:
        realised += pnl.realised
        partial += pnl.partial
        unknown |= pnl.unrealised is None
        missing.update(pnl.missing)
    return Pnl(realised, None if unknown else partial, partial, tuple(sorted(missing)))
