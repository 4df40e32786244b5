"""The end-of-day report of one account: from its fills, its orders and the rates of the day. Nothing of it is stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from django.db.models import Q

from accounts.models import Account
from algomirror.kernel import clock
from marketdata.models import Instrument as Contract
from strategies.analytics.charging import charged
from strategies.domain.daylines import DayFill, DayLine, Place, day_lines
from strategies.reports.days import close_of, marks
from strategies.reports.kinds import Costs, together
from trading.domain.orders import OrderState
from trading.domain.pnl import leg_unrealised
from trading.models import Book, Fill, Order
from trading.pages.tags import Owner, Tag, owner_of, tag_of

ZERO = Decimal(0)
REJECTIONS_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Line:
    """One instrument of one run (or of the tickets). Rupees; `open` is what was held at the close against what it cost:
    None while the session goes on or its last minutes are not known, 0 when nothing was held.
    """

    owner: Owner
    run_id: int | None
    exchange: str
    symbol: str
    product: str
    lot: int
    did: DayLine
    costs: Costs
    marked: tuple[datetime, Decimal] | None

    @property
    def open(self) -> Decimal | None:
        held = self.did.held
        if not held.units:
            return ZERO
        return None if self.marked is None else leg_unrealised(held.units, held.open_value, self.marked[1])

    @property
    def mark(self) -> Decimal | None:
        return None if self.marked is None or not self.did.held.units else self.marked[1]

    @property
    def net(self) -> Decimal | None:
        """Realised less charges; what is open is not in it."""
        return None if self.costs.total is None else self.did.realised - self.costs.total


@dataclass(frozen=True, slots=True)
class Counted:
    """Orders that left us that day; `denied` never did."""

    orders: int
    filled: int
    rejected: int
    denied: int


@dataclass(frozen=True, slots=True)
class DayReport:
    """`closes_at`: the last close among the exchanges of the lines, None without a session. `elsewhere`: fills of orders that
    no broker took from us, whose charges are not known here.
    """

    tag: Tag
    mode: str
    day: date
    read_at: datetime
    closes_at: datetime | None
    lines: list[Line]
    costs: Costs
    counted: Counted
    rejections: list[Order]
    elsewhere: int

    @property
    def is_empty(self) -> bool:
        return not self.lines and not self.counted.orders and not self.counted.denied

    @property
    def is_over(self) -> bool:
        return self.closes_at is not None and self.closes_at <= self.read_at

    @property
    def realised(self) -> Decimal:
        return sum((line.did.realised for line in self.lines), ZERO)

    @property
    def open(self) -> Decimal | None:
        """All or nothing: one line without a price makes the sum unknown."""
        known = [line.open for line in self.lines]
        return None if None in known else sum((value for value in known if value is not None), ZERO)

    @property
    def net(self) -> Decimal | None:
        return None if self.costs.total is None else self.realised - self.costs.total

    @property
    def fills(self) -> int:
        return sum(line.did.fills for line in self.lines)

    @property
    def carried(self) -> list[Line]:
        return [line for line in self.lines if line.did.held.units]


def day_report(account: Account, day: date) -> DayReport:
    """Nine queries, whatever the number of fills."""
    now, mode = clock.now(), _mode(account, day)
    orders = Order.objects.filter(account=account, book__mode=mode, trading_day=day)
    did = _did(account, mode, day)
    costs: dict[Place, Costs] = defaultdict(Costs)
    for one in charged(orders):
        costs[one.book_id, one.instrument].take(one)
    lines = _lines(did, costs, day, now)
    counted, rejections = _orders(orders)
    exchanges = {line.exchange for line in lines} | {order.exchange for order in rejections}
    return DayReport(
        tag=tag_of(account),
        mode=mode,
        day=day,
        read_at=now,
        closes_at=close_of(exchanges or {"NFO"}, day),
        lines=lines,
        costs=together(costs.values()),
        counted=counted,
        rejections=rejections,
        elsewhere=Fill.objects.filter(
            account=account, book__mode=mode, trading_day=day, source=Fill.Source.OUTSIDE
        ).count(),
    )  # fmt: skip


def _mode(account: Account, day: date) -> str:
    """The account's present mode, unless that day it only traded in the other: paper and live are never summed."""
    modes = set(Fill.objects.filter(account=account, trading_day=day).values_list("book__mode", flat=True).distinct().order_by())
    return account.mode if account.mode in modes or len(modes) != 1 else modes.pop()


def _did(account: Account, mode: str, day: date) -> dict[Place, DayLine]:
    traded = Fill.objects.filter(account=account, trading_day=day).values("book_id")
    alive = Q(flat_at=None) | Q(flat_at__gte=clock.start_of(day)) | Q(pk__in=traded)
    books = Book.objects.filter(alive, account=account, mode=mode).values("pk")
    rows = Fill.objects.filter(account=account, book__in=books, trading_day__lte=day).order_by("id")
    columns = ("book_id", "exchange", "symbol", "product", "trading_day", "action", "units", "value")
    return day_lines(
        (
            DayFill((book_id, (exchange, symbol, product)), of, "BUY" if action == "BUY" else "SELL", units, value)
            for book_id, exchange, symbol, product, of, action, units, value in rows.values_list(*columns).iterator(2_000)
        ),
        day,
    )


def _lines(did: dict[Place, DayLine], costs: dict[Place, Costs], day: date, now: datetime) -> list[Line]:
    """By run, tickets last; within one by instrument."""
    places = sorted(did.keys() | costs.keys())
    books = Book.objects.select_related("run").in_bulk({book_id for book_id, _ in places})
    prices = marks((f"{place[0]}:{place[1]}" for _, place in places), day, now)
    lots = _lots({symbol for _, (_, symbol, _) in places})
    lines = [
        Line(
            owner=owner_of(books[book_id]),
            run_id=books[book_id].run_id,
            exchange=exchange,
            symbol=symbol,
            product=product,
            lot=lots.get((exchange, symbol), 0),
            did=did.get((book_id, (exchange, symbol, product)), DayLine()),
            costs=costs[book_id, (exchange, symbol, product)],
            marked=prices.get(f"{exchange}:{symbol}"),
        )
        for book_id, (exchange, symbol, product) in places
    ]
    return sorted(lines, key=lambda line: (line.run_id is None, line.run_id or 0, line.symbol))


def _lots(symbols: Iterable[str]) -> dict[tuple[str, str], int]:
    rows = Contract.objects.filter(symbol__in=set(symbols)).values_list("exchange", "symbol", "lot_units")
    return {(exchange, symbol): lot for exchange, symbol, lot in rows}


def _orders(orders: Iterable[Order]) -> tuple[Counted, list[Order]]:
    """What left us, and what was turned away with its reason."""
    found = list(orders)
    sent = [order for order in found if order.sent_at is not None]
    rejected = [order for order in sent if order.state == OrderState.REJECTED]
    denied = [order for order in found if order.state == OrderState.DENIED]
    filled = sum(bool(order.filled_units) for order in sent)
    return Counted(len(sent), filled, len(rejected), len(denied)), [*rejected, *denied][:REJECTIONS_SHOWN]
