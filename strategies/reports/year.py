"""The summary of a tax year: turnover, gross, charges and net by month and account, folded from fills each time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from accounts.models import Account
from algomirror.kernel import clock
from strategies.analytics.charging import charged
from strategies.domain.turnover import ClosedTrade, Dealt, closed_trades, first_and_last, months_of, turnover
from strategies.reports.kinds import Costs, together
from trading.models import Book, Fill, Order
from trading.pages.tags import Tag, tag_of

ZERO = Decimal(0)


@dataclass(slots=True)
class Sum:
    """Of one account in one month, or of many together. Rupees; charges and net are unknown while a rate is missing."""

    results: list[Decimal] = field(default_factory=list)
    costs: Costs = field(default_factory=Costs)

    @property
    def trades(self) -> int:
        return len(self.results)

    @property
    def turnover(self) -> Decimal:
        return turnover(self.results)

    @property
    def gross(self) -> Decimal:
        return sum(self.results, ZERO)

    @property
    def net(self) -> Decimal | None:
        return None if self.costs.total is None else self.gross - self.costs.total

    @property
    def is_empty(self) -> bool:
        return not self.results and not self.costs.orders


def added(sums: Iterable[Sum]) -> Sum:
    parts = list(sums)
    return Sum([result for one in parts for result in one.results], together(one.costs for one in parts))


@dataclass(frozen=True, slots=True)
class YearReport:
    """`cells` by account and by first day of month; `months` are those that have begun."""

    year: int
    first: date
    last: date
    mode: str
    months: list[date]
    accounts: list[Tag]
    cells: dict[tuple[int, date], Sum]

    @property
    def by_month(self) -> list[tuple[date, Sum]]:
        return [(month, added(self._where(month=month))) for month in self.months]

    @property
    def by_account(self) -> list[tuple[Tag, Sum]]:
        return [(tag, added(self._where(account=tag.account_id))) for tag in self.accounts]

    @property
    def total(self) -> Sum:
        return added(self.cells.values())

    @property
    def is_empty(self) -> bool:
        return all(one.is_empty for one in self.cells.values())

    def _where(self, *, account: int | None = None, month: date | None = None) -> Iterator[Sum]:
        for (pk, start), one in self.cells.items():
            if account in (None, pk) and month in (None, start):
                yield one


def year_report(year: int, mode: str, account: Account | None = None) -> YearReport:
    """Seven queries, whatever was traded. A trade belongs to the month in which it was closed, a charge to its order's."""
    first, last = first_and_last(year)
    books = Book.objects.filter(mode=mode)
    if account is not None:
        books = books.filter(account=account)
    in_year = Fill.objects.filter(trading_day__range=(first, last)).values("book_id")
    owner_of = dict(books.filter(pk__in=in_year).values_list("pk", "account_id"))
    cells: dict[tuple[int, date], Sum] = defaultdict(Sum)
    for trade in _closed(owner_of, last):
        if trade.day >= first:
            cells[owner_of[trade.place[0]], trade.day.replace(day=1)].results.append(trade.result)
    for one in charged(Order.objects.filter(book__in=list(owner_of), trading_day__range=(first, last))):
        cells[one.account_id, one.day.replace(day=1)].costs.take(one)
    seen = {pk for pk, _ in cells}
    return YearReport(
        year=year,
        first=first,
        last=last,
        mode=mode,
        months=[month for month in months_of(year) if month <= clock.trading_day()],
        accounts=[tag_of(row) for row in Account.objects.filter(pk__in=seen).order_by("name")],
        cells=dict(cells),
    )


def _closed(books: Iterable[int], last: date) -> list[ClosedTrade]:
    rows = Fill.objects.filter(book_id__in=list(books), trading_day__lte=last).order_by("id")
    columns = ("book_id", "exchange", "symbol", "product", "order_id", "trading_day", "action", "units", "value")
    return closed_trades(
        Dealt((book_id, (exchange, symbol, product)), order_id, day, "BUY" if action == "BUY" else "SELL", units, value)
        for book_id, exchange, symbol, product, order_id, day, action, units, value in rows.values_list(*columns).iterator(2_000)
    )
