"""P&L of today, per account and in all: two queries and one look at the quote store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Sum

from algomirror.kernel import clock
from marketdata import quotes as store
from marketdata.domain.quotes import Quote, fresh_or_none
from trading.domain.day import DayOf, DayPnl, day_pnl
from trading.models import Fill, Position

Line = tuple[int, str, str, str]  # account, exchange, symbol, product
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Today:
    """Before charges. An account without trades and positions is absent."""

    by_account: Mapping[int, DayPnl]
    whole: DayPnl


def lines_of_today() -> dict[Line, DayOf]:
    """What is open or traded today, summed over the books of an account."""
    held = Position.objects.exclude(units=0).values_list("book__account_id", "exchange", "symbol", "product")
    units: dict[Line, int] = {
        (account, exchange, symbol, product): total
        for account, exchange, symbol, product, total in held.annotate(total=Sum("units")).order_by()
    }
    traded: dict[tuple[Line, str], tuple[int, Decimal]] = {}
    fills = Fill.objects.filter(trading_day=clock.trading_day()).values_list(
        "account_id", "exchange", "symbol", "product", "action"
    )
    for account, exchange, symbol, product, action, quantity, value in fills.annotate(
        quantity=Sum("units"), rupees=Sum("value")
    ).order_by():
        traded[(account, exchange, symbol, product), action] = (quantity, value)
    lines = set(units) | {line for line, _ in traded}
    return {line: _day_of(line, units.get(line, 0), traded) for line in lines}


def _day_of(line: Line, units: int, traded: Mapping[tuple[Line, str], tuple[int, Decimal]]) -> DayOf:
    bought, sold = traded.get((line, "BUY"), (0, ZERO)), traded.get((line, "SELL"), (0, ZERO))
    return DayOf(f"{line[1]}:{line[2]}", units, *bought, *sold)


def keys_of(lines: Mapping[Line, DayOf]) -> set[str]:
    return {row.key for row in lines.values() if row.units or row.units_before}


def today() -> Today:
    lines = lines_of_today()
    return of(lines, store.get(keys_of(lines)), clock.now())


def of(lines: Mapping[Line, DayOf], quotes: Mapping[str, Quote], now: datetime) -> Today:
    bounds, day = store.bounds(), clock.trading_day(now)
    marks = {key: quote.deciding_price for key, quote in quotes.items() if fresh_or_none(quote, now, bounds) is not None}
    closes = {key: close for key, quote in quotes.items() if (close := quote.close_before(day)) is not None}
    rows: dict[int, list[DayOf]] = defaultdict(list)
    for line, row in lines.items():
        rows[line[0]].append(row)
    return Today(
        by_account={account: day_pnl(found, marks, closes) for account, found in rows.items()},
        whole=day_pnl(lines.values(), marks, closes),
    )
