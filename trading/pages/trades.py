"""The trades page: what was filled, at which price, and what it cost against the price it was decided at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Case, DecimalField, F, Q, QuerySet, Sum, When

from accounts.models import BrokerRead
from algomirror.kernel import clock
from algomirror.kernel.money import parse_decimal, parse_quantity
from trading.models import Fill, Order
from trading.pages.tags import Owner, ReadState, Tag, active_accounts, owner_of, read_states, tag_of

SHOWN_AT_MOST = 200
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the filter asks for; None is everything. Without a day and a run: today."""

    account: int | None = None
    run: int | None = None
    day: date | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class TradeRow:
    at: datetime | None
    tag: Tag
    owner: Owner
    exchange: str
    symbol: str
    product: str
    action: str
    units: int
    lot: int
    price: Decimal
    value: Decimal
    decision: Decimal | None
    # Rupees, minus when worse than decided; None when it was decided without a price.
    slippage: Decimal | None
    name: str
    broker_order_id: str
    note: str = ""
    is_stale: bool = False
    fill_id: int | None = None


@dataclass(frozen=True, slots=True)
class TradesPage:
    rows: list[TradeRow]
    outside: list[TradeRow]
    reads: list[ReadState]
    failed: list[ReadState]
    bought: Decimal
    sold: Decimal
    slippage: Decimal | None
    # The oldest fill shown, from which the next page goes on; None: there are no older ones.
    older: int | None


def slippage(action: str, units: int, value: Decimal, decision: Decimal | None) -> Decimal | None:
    """What the fill made or lost against the decided price: minus is worse, for buyer and seller alike."""
    if decision is None:
        return None
    at_decision = units * decision
    return at_decision - value if action == "BUY" else value - at_decision


def trades_page(wish: Wish) -> TradesPage:
    """Six queries, whatever the number of fills."""
    accounts = active_accounts()
    reads = read_states(accounts, BrokerRead.Kind.TRADES)
    failed = [read for read in reads if read.error]
    stale = {read.tag.account_id for read in failed}
    found = ours(wish)
    page = found if wish.before is None else found.filter(pk__lt=wish.before)
    fills = list(page.select_related("account", "book__run", "order").order_by("-id")[: SHOWN_AT_MOST + 1])
    rows = [_row(fill, stale) for fill in fills[:SHOWN_AT_MOST]]
    return TradesPage(
        rows=rows,
        outside=[] if wish.run or wish.day or wish.before else _outside(wish, stale),
        reads=reads,
        failed=failed,
        **_sums(found),
        older=rows[-1].fill_id if len(fills) > SHOWN_AT_MOST else None,
    )


def ours(wish: Wish) -> QuerySet[Fill]:
    """What the filter asks for, whatever page of it is shown."""
    found = Fill.objects.all()
    if wish.day is not None or wish.run is None:
        found = found.filter(trading_day=wish.day or clock.trading_day())
    if wish.run is not None:
        found = found.filter(book__run_id=wish.run)
    if wish.account is not None:
        found = found.filter(account_id=wish.account)
    return found


def _sums(found: QuerySet[Fill]) -> dict[str, Any]:
    """Over everything that was asked for, not only over this page."""
    decided = F("units") * F("order__decision_price")
    slipped = Case(When(action="BUY", then=decided - F("value")), default=F("value") - decided)
    sums = found.aggregate(
        bought=Sum("value", filter=Q(action="BUY")),
        sold=Sum("value", filter=Q(action="SELL")),
        slippage=Sum(slipped, filter=Q(order__decision_price__isnull=False), output_field=DecimalField()),
    )
    return {"bought": sums["bought"] or ZERO, "sold": sums["sold"] or ZERO, "slippage": sums["slippage"]}


def _row(fill: Fill, stale: set[int]) -> TradeRow:
    return TradeRow(
        at=fill.first_seen_at,
        tag=tag_of(fill.account),
        owner=owner_of(fill.book),
        exchange=fill.exchange,
        symbol=fill.symbol,
        product=fill.product,
        action=fill.action,
        units=fill.units,
        lot=fill.order.lot_units,
        price=fill.value / fill.units,
        value=fill.value,
        decision=fill.order.decision_price,
        slippage=slippage(fill.action, fill.units, fill.value, fill.order.decision_price),
        name=fill.order.client_order_id,
        broker_order_id=fill.broker_order_id,
        note="" if fill.source == Fill.Source.TRADE_BOOK else fill.get_source_display().lower(),
        is_stale=fill.account_id in stale,
        fill_id=fill.pk,
    )


def _outside(wish: Wish, stale: set[int]) -> list[TradeRow]:
    """Rows of the last complete trade books whose order nobody here sent."""
    day = clock.trading_day()
    reads = BrokerRead.objects.filter(kind=BrokerRead.Kind.TRADES, account__archived_at=None).select_related("account")
    if wish.account is not None:
        reads = reads.filter(account_id=wish.account)
    ours = set(Order.objects.filter(trading_day=day).exclude(broker_order_id="").values_list("account_id", "broker_order_id"))
    rows: list[TradeRow] = []
    for read in reads:
        if read.started_at is None or clock.trading_day(read.started_at) != day:
            continue
        for row in _dicts(read.rows):
            if (read.account_id, str(row.get("broker_order_id"))) not in ours:
                found = _outside_row(row, tag_of(read.account), is_stale=read.account_id in stale)
                rows += [found] if found is not None else []
    return rows[:SHOWN_AT_MOST]


def _dicts(rows: Any) -> Iterable[dict[str, Any]]:
    return (row for row in rows if isinstance(row, dict)) if isinstance(rows, list) else ()


def _outside_row(row: dict[str, Any], tag: Tag, *, is_stale: bool) -> TradeRow | None:
    units, price = parse_quantity(row.get("units")), parse_decimal(row.get("price"))
    if units is None or price is None:
        return None
    return TradeRow(
        at=None,
        tag=tag,
        owner=Owner("Outside"),
        exchange=str(row.get("exchange", "")),
        symbol=str(row.get("symbol", "")),
        product=str(row.get("product", "")),
        action=str(row.get("action", "")),
        units=units,
        lot=0,
        price=price,
        value=units * price,
        decision=None,
        slippage=None,
        name=_time_of(str(row.get("traded_at", ""))),
        broker_order_id=str(row.get("broker_order_id", "")),
        is_stale=is_stale,
    )


def _time_of(said: str) -> str:
    """The broker's own words; of "2026-11-20T16:18:56" the time, for every row here is of one day."""
    return said.partition("T")[2] if said[:1].isdigit() and "T" in said else said
