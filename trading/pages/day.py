"""P&L of today, of each account's live and paper books: two queries and one look at the quote store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Sum

from algomirror.kernel import clock
from marketdata import quotes as store
from marketdata.domain.quotes import Quote, fresh_or_none
from trading.domain.day import DayOf, DayPnl, day_pnl
from trading.models import Fill, Position

Line = tuple[int, str, str, str, str]  # account, mode of its books, exchange, symbol, product
ZERO = Decimal(0)
LIVE, PAPER = "LIVE", "PAPER"
MODES = (LIVE, PAPER)


@dataclass(frozen=True, slots=True)
class Today:
    """Before charges, by account and mode of its books; without trades and positions one is absent.

    Rupees of a rehearsal are no rupees: what live and paper books made is never added up.
    """

    pairs: Mapping[tuple[int, str], DayPnl]

    def made(self, mode: str, accounts: Collection[int] | None = None) -> DayPnl:
        """By the books of this mode in these accounts, or in all. Unknown while that of any is not known."""
        found = [pnl for (pk, of), pnl in self.pairs.items() if of == mode and (accounts is None or pk in accounts)]
        missing = tuple(sorted({key for pnl in found for key in pnl.missing}))
        return DayPnl(None if missing else sum((pnl.total or ZERO for pnl in found), ZERO), missing)

    def traded(self, accounts: Collection[int] | None = None) -> set[str]:
        """The modes in which any of these accounts, or of all, traded or holds something."""
        return {mode for pk, mode in self.pairs if accounts is None or pk in accounts}


def modes_of(today: Today, modes: Iterable[str], accounts: Collection[int] | None = None) -> list[str]:
    """The modes that count where accounts of these modes are shown, live first. The first is shown where one figure fits."""
    there = {*modes, *today.traded(accounts)}
    return [mode for mode in MODES if mode in there] or [PAPER]


def lines_of_today() -> dict[Line, DayOf]:
    """What is open or traded today, summed over the books of an account that are of one mode."""
    held = Position.objects.exclude(units=0).values_list("book__account_id", "book__mode", "exchange", "symbol", "product")
    units: dict[Line, int] = {
        (account, mode, exchange, symbol, product): total
        for account, mode, exchange, symbol, product, total in held.annotate(total=Sum("units")).order_by()
    }
    traded: dict[tuple[Line, str], tuple[int, Decimal]] = {}
    fills = Fill.objects.filter(trading_day=clock.trading_day()).values_list(
        "account_id", "book__mode", "exchange", "symbol", "product", "action"
    )
    for account, mode, exchange, symbol, product, action, quantity, value in fills.annotate(
        quantity=Sum("units"), rupees=Sum("value")
    ).order_by():
        traded[(account, mode, exchange, symbol, product), action] = (quantity, value)
    lines = set(units) | {line for line, _ in traded}
    return {line: _day_of(line, units.get(line, 0), traded) for line in lines}


def _day_of(line: Line, units: int, traded: Mapping[tuple[Line, str], tuple[int, Decimal]]) -> DayOf:
    bought, sold = traded.get((line, "BUY"), (0, ZERO)), traded.get((line, "SELL"), (0, ZERO))
    return DayOf(f"{line[2]}:{line[3]}", units, *bought, *sold)


def keys_of(lines: Mapping[Line, DayOf]) -> set[str]:
    return {row.key for row in lines.values() if row.units or row.units_before}


def today() -> Today:
    lines = lines_of_today()
    return of(lines, store.get(keys_of(lines)), clock.now())


def of(lines: Mapping[Line, DayOf], quotes: Mapping[str, Quote], now: datetime) -> Today:
    bounds, day = store.bounds(), clock.trading_day(now)
    marks = {key: quote.deciding_price for key, quote in quotes.items() if fresh_or_none(quote, now, bounds) is not None}
    closes = {key: close for key, quote in quotes.items() if (close := quote.close_before(day)) is not None}
    rows: dict[tuple[int, str], list[DayOf]] = defaultdict(list)
    for (account, mode, *_), row in lines.items():
        rows[account, mode].append(row)
    return Today({pair: day_pnl(found, marks, closes) for pair, found in rows.items()})
