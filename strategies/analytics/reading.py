"""Reading what was traded in a period: fills, charges, runs. Nothing is stored for it; the fills are the truth."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from accounts.models import Account
from risk.models import RunExtremes
from strategies.analytics.charging import charged
from strategies.domain.returns import Earned, Filled, earned
from strategies.models import RunNote, RunTags, Strategy
from trading.domain.charges import Charges
from trading.models import Book, Fill, Order, Run

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Wish:
    """Both days count. `strategy` None is everything, 0 what no strategy started (tickets)."""

    first: date
    last: date
    mode: str
    account: int | None = None
    strategy: int | None = None


@dataclass(slots=True)
class Cut:
    """One book on one day: the smallest piece everything else is summed from. `charges` None: a rate is missing."""

    book_id: int
    run_id: int | None
    strategy_id: int | None
    account_id: int
    day: date
    earned: Earned
    charges: Decimal | None = ZERO
    orders: int = 0
    # Of each order whose rates are known, and the tax on what was exercised: what `charges` is made of.
    parts: list[Charges] = field(default_factory=list)
    exercise: Decimal = ZERO

    @property
    def gross(self) -> Decimal:
        return self.earned.gross

    @property
    def net(self) -> Decimal | None:
        return None if self.charges is None else self.earned.gross - self.charges


@dataclass(frozen=True, slots=True)
class Period:
    wish: Wish
    cuts: list[Cut]
    runs: dict[int, Run]
    strategies: dict[int, str]
    accounts: dict[int, Account]
    extremes: dict[int, RunExtremes]
    notes: dict[int, list[RunNote]]
    tags: dict[int, tuple[str, ...]]


def period(wish: Wish) -> Period:
    """Nine queries, whatever the number of fills."""
    books = Book.objects.filter(
        mode=wish.mode, pk__in=Fill.objects.filter(trading_day__range=(wish.first, wish.last)).values("book_id")
    )
    if wish.account is not None:
        books = books.filter(account_id=wish.account)
    if wish.strategy is not None:
        books = books.filter(run__strategy_id=wish.strategy) if wish.strategy else books.filter(run__strategy_id=None)
    rows = {pk: row for pk, *row in books.order_by("pk").values_list("pk", "run_id", "run__strategy_id", "account_id")}
    cuts = _cuts(wish, rows)
    _charge(cuts, list(rows))
    run_ids = {cut.run_id for cut in cuts.values() if cut.run_id is not None}
    notes: dict[int, list[RunNote]] = defaultdict(list)
    for note in RunNote.objects.filter(run_id__in=run_ids).select_related("author"):
        notes[note.run_id].append(note)
    return Period(
        wish=wish,
        cuts=sorted(cuts.values(), key=lambda cut: (cut.day, cut.book_id)),
        runs=Run.objects.in_bulk(run_ids),
        strategies=dict(Strategy.objects.values_list("pk", "name")),
        accounts=Account.objects.in_bulk(),
        extremes={row.run_id: row for row in RunExtremes.objects.filter(run_id__in=run_ids)},
        notes=dict(notes),
        tags={row.run_id: tuple(row.words) for row in RunTags.objects.filter(run_id__in=run_ids)},
    )


def _cuts(wish: Wish, books: dict[int, list[int | None]]) -> dict[tuple[int, date], Cut]:
    fills = Fill.objects.filter(book_id__in=list(books), trading_day__lte=wish.last).order_by("id")
    rows = fills.values_list(
        "book_id", "exchange", "symbol", "product", "trading_day", "action", "units", "value", "order__decision_price"
    )
    found = earned(
        Filled(book_id, (exchange, symbol, product), day, "BUY" if action == "BUY" else "SELL", units, value, decision)
        for book_id, exchange, symbol, product, day, action, units, value, decision in rows.iterator(chunk_size=2_000)
    )
    return {
        (book_id, day): Cut(book_id, books[book_id][0], books[book_id][1], books[book_id][2] or 0, day, one)
        for (book_id, day), one in found.items()
        if day >= wish.first
    }


def _charge(cuts: dict[tuple[int, date], Cut], book_ids: list[int]) -> None:
    for one in charged(Order.objects.filter(book_id__in=book_ids)):
        cut = cuts.get((one.book_id, one.day))
        if cut is None:
            continue
        cut.orders += not one.is_exercise
        if one.cost is None or cut.charges is None:
            cut.charges = None
            continue
        cut.charges += one.cost.total
        if one.is_exercise:
            cut.exercise += one.cost.stt
        else:
            cut.parts.append(one.cost)
