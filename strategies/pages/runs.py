"""The list of runs, and one run with everything a person may ask about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Prefetch, Sum

from accounts.colours import hex_of
from algomirror.kernel import clock
from algomirror.ops.models import Journal
from marketdata import quotes as store
from marketdata.domain.quotes import Quote, freshness
from risk import pages as risk_pages
from risk.models import RunExtremes, RunLimits
from risk.selectors import open_runs
from risk.services import extremes
from strategies.models import Plan, RunNote, RunTags
from strategies.pages.charges import run_charges, run_slippage
from strategies.pages.sentences import Said, said
from trading.domain.pnl import Pnl, book_pnl, run_pnl
from trading.models import Book, ExitGoal, Fill, Order, Position, Run

PAST_SHOWN = 100
JOURNAL_SHOWN = 300


def runs_page() -> dict[str, Any]:
    """Open runs (nearest to a limit first), then the past ones with what they made, in a fixed number of queries."""
    return {"open": risk_pages.run_rows(), "past": past_rows(PAST_SHOWN)}


def past_rows(most: int) -> list[PastRow]:
    """Runs that ended, newest first: three queries, whatever their number."""
    past = Run.objects.filter(state=Run.State.CLOSED).order_by("-flat_at")[:most]
    rows = list(past.annotate(realised=Sum("books__positions__realised")).select_related("plan__version", "tags", "extremes"))
    ids = [run.pk for run in rows]
    costs, slips = run_charges(ids), run_slippage(ids)
    return [_past(run, run.realised, costs[run.pk], slips.get(run.pk)) for run in rows]


@dataclass(frozen=True, slots=True)
class PastRow:
    """A run that ended. `net` is None while a charge rate of its days is missing; `drawdown` when nobody saw it on a mark.

    `slippage` is what its fills made or lost against the decided prices: minus is worse, None without any.
    """

    run: Run
    version: int | None
    words: tuple[str, ...]
    realised: Decimal
    charges: Decimal | None
    net: Decimal | None
    drawdown: Decimal | None
    slippage: Decimal | None


def _past(run: Run, realised: Decimal | None, charges: Decimal | None, slippage: Decimal | None) -> PastRow:
    plan, tags = getattr(run, "plan", None), getattr(run, "tags", None)
    gross = realised if realised is not None else Decimal(0)
    return PastRow(
        run=run,
        version=None if plan is None or plan.version is None else plan.version.number,
        words=() if tags is None else tuple(tags.words),
        realised=gross,
        charges=charges,
        net=None if charges is None else gross - charges,
        drawdown=extremes.drawdown(getattr(run, "extremes", None), gross),
        slippage=slippage,
    )


@dataclass(frozen=True, slots=True)
class Cell:
    """One leg in one account. `pnl` is realised and unrealised together, None while its mark is unknown."""

    position: Position
    quote: Quote | None
    is_fresh: bool
    pnl: Decimal | None
    average: Decimal | None
    received_ms: int | None


@dataclass(frozen=True, slots=True)
class BookRow:
    book: Book
    colour: str
    cells: tuple[Cell, ...]
    pnl: Pnl
    goals: tuple[ExitGoal, ...]

    @property
    def is_live(self) -> bool:
        return self.book.state != Book.State.FLAT

    @property
    def open_goal(self) -> ExitGoal | None:
        return next((goal for goal in self.goals if goal.state != ExitGoal.State.DONE), None)


@dataclass(frozen=True, slots=True)
class LegRow:
    """One contract of the run over all its accounts; `pnl` is None as soon as one of them has no mark."""

    leg: int
    symbol: str
    product: str
    units: int
    pnl: Decimal | None
    key: str
    quote: Quote | None
    received_ms: int | None


@dataclass(frozen=True, slots=True)
class OrderRow:
    order: Order
    account: str
    colour: str
    average: Decimal | None
    fills: tuple[Fill, ...]


def _leg_row(cells: list[Cell]) -> LegRow:
    one, parts = cells[0], [cell.pnl for cell in cells]
    known = [part for part in parts if part is not None]
    return LegRow(
        leg=one.position.leg,
        symbol=one.position.symbol,
        product=one.position.product,
        units=sum(cell.position.units for cell in cells),
        pnl=sum(known, Decimal(0)) if len(known) == len(parts) else None,
        key=one.position.key,
        quote=one.quote,
        received_ms=one.received_ms,
    )


@dataclass(frozen=True, slots=True)
class RunPage:
    run: Run
    pnl: Pnl
    books: tuple[BookRow, ...]
    limits: tuple[risk_pages.LimitRow, ...]
    terms: RunLimits | None
    blind_since: datetime | None
    orders: tuple[OrderRow, ...]
    events: list[Any] = field(default_factory=list)
    journal: tuple[Said, ...] = ()
    plan: Plan | None = None
    notes: tuple[RunNote, ...] = ()
    tags: tuple[str, ...] = ()
    charges: Decimal | None = None
    slippage: Decimal | None = None
    drawdown: Decimal | None = None

    @property
    def key(self) -> str:
        return f"run:{self.run.pk}:pnl"

    @property
    def legs(self) -> list[LegRow]:
        """Each leg over all accounts; empty when there is one account, whose rows say it all."""
        if len(self.books) < 2:
            return []
        grouped: dict[tuple[int, str, str], list[Cell]] = defaultdict(list)
        for book in self.books:
            for cell in book.cells:
                grouped[cell.position.leg, cell.position.symbol, cell.position.product].append(cell)
        return [_leg_row(cells) for _, cells in sorted(grouped.items())]

    @property
    def unrealised_key(self) -> str:
        return f"run:{self.run.pk}:unrealised"

    @property
    def has_stop(self) -> bool:
        return any(limit.is_hard_stop for limit in self.limits)

    @property
    def is_stop_paused(self) -> bool:
        return any(limit.rule == "MAX_LOSS" and limit.paused_until is not None for limit in self.limits)

    @property
    def net(self) -> Decimal | None:
        """P&L after charges; unknown when either is."""
        return None if self.pnl.total is None or self.charges is None else self.pnl.total - self.charges

    @property
    def is_open(self) -> bool:
        return self.run.state != Run.State.CLOSED

    @property
    def is_live_money(self) -> bool:
        return self.run.mode == "LIVE"

    @property
    def open_books(self) -> int:
        return sum(book.is_live for book in self.books)

    @property
    def mark_quality(self) -> str:
        if self.blind_since is not None:
            return "blind"
        return "complete" if self.pnl.total is not None else "partial"


def run_page(run: Run) -> RunPage:
    now, bounds = clock.now(), store.bounds()
    goals = Prefetch("goals", queryset=ExitGoal.objects.order_by("id"))
    positions = Prefetch("positions", queryset=Position.objects.order_by("leg", "id"))
    books = list(Book.objects.filter(run=run).select_related("account").prefetch_related(positions, goals).order_by("id"))
    quotes = store.get({p.key for book in books for p in book.positions.all()})
    rows = tuple(_book(book, quotes, now) for book in books)
    names = {book.account_id: book.account.name for book in books}
    head = next(iter(risk_pages.run_rows(open_runs([run.pk]))), None)
    return RunPage(
        run=run,
        pnl=run_pnl(book_pnl(book.positions.all(), quotes, now, bounds) for book in books),
        books=rows,
        limits=() if head is None else head.limits,
        terms=RunLimits.objects.filter(run=run).first(),
        blind_since=None if head is None else head.blind_since,
        orders=_orders(run, {row.book.pk: row for row in rows}),
        events=risk_pages.events(run_id=run.pk),
        journal=_journal(run, names),
        plan=Plan.objects.filter(run=run).select_related("version").first(),
        notes=tuple(RunNote.objects.filter(run=run).select_related("author")),
        tags=tuple(next(iter(RunTags.objects.filter(run=run).values_list("words", flat=True)), ())),
        charges=run_charges([run.pk]).get(run.pk),
        slippage=run_slippage([run.pk]).get(run.pk),
        drawdown=_drawdown(run, rows),
    )


def _drawdown(run: Run, books: tuple[BookRow, ...]) -> Decimal | None:
    row = RunExtremes.objects.filter(run=run).first()
    if row is None or run.state != Run.State.CLOSED:
        return None if row is None else row.drawdown
    return extremes.drawdown(row, sum((book.pnl.realised for book in books), Decimal(0)))


def _book(book: Book, quotes: Mapping[str, Quote], now: datetime) -> BookRow:
    bounds = store.bounds()
    found = list(book.positions.all())
    return BookRow(
        book=book,
        colour=hex_of(book.account.colour),
        cells=tuple(_cell(position, quotes.get(position.key), now) for position in found),
        pnl=book_pnl(found, quotes, now, bounds),
        goals=tuple(book.goals.all()),
    )


def _cell(position: Position, quote: Quote | None, now: datetime) -> Cell:
    bounds = store.bounds()
    known = {} if quote is None else {position.key: quote}
    return Cell(
        position=position,
        quote=quote,
        is_fresh=freshness(quote, now, bounds).value == "FRESH",
        pnl=book_pnl([position], known, now, bounds).total,
        average=position.open_value / abs(position.units) if position.units else None,
        received_ms=None if quote is None else int(quote.received_at.timestamp() * 1000),
    )


def _orders(run: Run, books: Mapping[int, BookRow]) -> tuple[OrderRow, ...]:
    fills: dict[int, list[Fill]] = defaultdict(list)
    for fill in Fill.objects.filter(book__run=run).order_by("id"):
        fills[fill.order_id].append(fill)
    return tuple(
        OrderRow(
            order=order,
            account=books[order.book_id].book.account.name,
            colour=books[order.book_id].colour,
            average=order.filled_value / order.filled_units if order.filled_units else None,
            fills=tuple(fills[order.pk]),
        )
        for order in Order.objects.filter(book__run=run).order_by("book_id", "goal_id", "leg", "slice_no", "attempt", "id")
        if order.book_id in books
    )


def _journal(run: Run, names: Mapping[int, str]) -> tuple[Said, ...]:
    rows = Journal.objects.filter(run_id=run.pk).order_by("-id")[:JOURNAL_SHOWN]
    return tuple(said(row, names) for row in rows)
