"""What pages, guards and runs read of books, orders and positions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, QuerySet

from trading.domain.orders import ENTRIES, LIVE_STATES, OrderState
from trading.models import Book, ExitGoal, Order, Position, Run

LIVE = [s.value for s in LIVE_STATES]


@dataclass(frozen=True, slots=True)
class PositionView:
    exchange: str
    symbol: str
    product: str
    leg: int
    units: int
    open_value: Decimal
    realised: Decimal
    bought_units: int = 0
    sold_units: int = 0

    @property
    def key(self) -> str:
        return f"{self.exchange}:{self.symbol}"

    @property
    def average(self) -> Decimal | None:
        return self.open_value / abs(self.units) if self.units else None


@dataclass(frozen=True, slots=True)
class BookView:
    """One book as guards and pages see it."""

    book_id: int
    run_id: int | None
    account_id: int
    account_name: str
    state: str
    positions: tuple[PositionView, ...] = ()
    entries_unfinished: int = 0
    live_orders: int = 0
    open_goal: bool = False
    fills: int = 0
    opened: bool = field(default=False)

    @property
    def is_flat(self) -> bool:
        return all(p.units == 0 for p in self.positions)


def run_books(run_id: int) -> list[BookView]:
    return books(Book.objects.filter(run_id=run_id))


def books(rows: Iterable[Book]) -> list[BookView]:
    """Views of these books in four queries, whatever their number."""
    found = list(rows if isinstance(rows, list) else rows.select_related("account"))  # type: ignore[attr-defined]
    ids = [b.pk for b in found]
    positions: dict[int, list[PositionView]] = {}
    for p in Position.objects.filter(book_id__in=ids).order_by("leg", "id"):
        positions.setdefault(p.book_id, []).append(
            PositionView(p.exchange, p.symbol, p.product, p.leg, p.units, p.open_value, p.realised, p.bought_units, p.sold_units)
        )
    unfinished = Q(purpose__in=[p.value for p in ENTRIES]) & Q(state__in=[OrderState.INITIALIZED, *LIVE])
    counts = {
        row["book_id"]: row
        for row in Order.objects.filter(book_id__in=ids)
        .values("book_id")
        .annotate(
            unfinished=Count("id", filter=unfinished),
            live=Count("id", filter=Q(state__in=LIVE)),
            filled=Count("id", filter=Q(filled_units__gt=0)),
        )
        .order_by("book_id")
    }
    goals = set(ExitGoal.objects.filter(book_id__in=ids).exclude(state="DONE").values_list("book_id", flat=True))
    nothing = {"unfinished": 0, "live": 0, "filled": 0}
    return [
        BookView(
            book_id=b.pk,
            run_id=b.run_id,
            account_id=b.account_id,
            account_name=b.account.name,
            state=b.state,
            positions=tuple(positions.get(b.pk, ())),
            entries_unfinished=counts.get(b.pk, nothing)["unfinished"],
            live_orders=counts.get(b.pk, nothing)["live"],
            open_goal=b.pk in goals,
            fills=counts.get(b.pk, nothing)["filled"],
            opened=counts.get(b.pk, nothing)["filled"] > 0,
        )
        for b in found
    ]


def open_symbols() -> set[str]:
    """ "EXCHANGE:SYMBOL" of everything any book holds or may come to hold: these are always wanted from the feed."""
    held = Position.objects.exclude(units=0).values_list("exchange", "symbol")
    coming = Order.objects.filter(state__in=[OrderState.INITIALIZED, *LIVE]).values_list("exchange", "symbol")
    return {f"{exchange}:{symbol}" for exchange, symbol in [*held.distinct(), *coming.distinct()]}


def is_entering() -> bool:
    """True while some run is being entered: not the moment to change what supplies the prices."""
    return Run.objects.filter(state=Run.State.ENTERING).exists()


def account_in_use(account_id: int) -> str:
    """Why this account may not be archived; empty when nothing of it is open."""
    if Position.objects.filter(book__account_id=account_id).exclude(units=0).exists():
        return "a book of this account holds a position"
    if Order.objects.filter(account_id=account_id, state__in=[OrderState.INITIALIZED, *LIVE]).exists():
        return "an order of this account is not finished"
    if Book.objects.filter(account_id=account_id, kind=Book.Kind.RUN).exclude(state=Book.State.FLAT).exists():
        return "a run still has an open book on this account"
    return ""


def seen_runs() -> QuerySet[Any, Any]:
    """Of the person asking: see algomirror.ops.sight."""
    return Run.objects.values("pk")
