"""What is open, in a fixed number of queries, shaped for decisions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal

from marketdata.domain.quotes import Bounds, Quote
from risk.domain.guards import BookMark, GuardView, Policy, Rule, Snapshot, Stage
from risk.models import Action, GuardState, RunLimits
from trading.domain.pnl import book_pnl
from trading.models import Book, Position, Run

DEFAULT_BLIND = RunLimits.Blind.HOLD


@dataclass(frozen=True, slots=True)
class OpenPosition:
    key: str
    units: int
    open_value: Decimal
    realised: Decimal
    has_traded: bool


@dataclass(frozen=True, slots=True)
class OpenBook:
    book_id: int
    account_id: int
    state: str
    positions: tuple[OpenPosition, ...]

    @property
    def is_live(self) -> bool:
        return self.state != Book.State.FLAT


@dataclass(frozen=True, slots=True)
class Guard:
    guard_id: int
    policy: Policy
    view: GuardView
    evaluated_at: datetime | None


@dataclass(frozen=True, slots=True)
class OpenRun:
    run_id: int
    name: str
    blind_policy: str
    books: tuple[OpenBook, ...]
    guards: tuple[Guard, ...]

    @property
    def open_keys(self) -> frozenset[str]:
        """Instruments with open units: those whose price decides."""
        return frozenset(p.key for book in self.books for p in book.positions if p.units)

    def books_in(self, book_id: int | None) -> list[OpenBook]:
        """The books a guard of this scope would exit: not those already flat."""
        return [b for b in self.books if b.is_live and (book_id is None or b.book_id == book_id)]


def snapshot(run: OpenRun, quotes: Mapping[str, Quote], now: datetime, bounds: Bounds) -> Snapshot:
    return Snapshot(
        {
            book.book_id: BookMark(
                pnl=book_pnl(book.positions, quotes, now, bounds),
                has_traded=any(p.has_traded for p in book.positions),
                is_live=book.is_live,
            )
            for book in run.books
        }
    )


def open_runs(run_ids: Iterable[int] | None = None) -> list[OpenRun]:
    """Every run that is not closed, with books, positions, limits and guards: five queries, whatever their number."""
    found = Run.objects.exclude(state=Run.State.CLOSED)
    if run_ids is not None:
        found = found.filter(pk__in=list(run_ids))
    names = dict(found.order_by("id").values_list("id", "name"))
    limits = {row.run_id: row for row in RunLimits.objects.filter(run_id__in=names)}
    books = _books(names)
    guards = _guards(names, limits)
    return [
        OpenRun(
            run_id=run_id,
            name=name,
            blind_policy=limits[run_id].blind_policy if run_id in limits else DEFAULT_BLIND,
            books=tuple(books[run_id]),
            guards=tuple(guards[run_id]),
        )
        for run_id, name in names.items()
    ]


def open_run(run_id: int) -> OpenRun | None:
    return next(iter(open_runs([run_id])), None)


def _books(run_ids: Iterable[int]) -> dict[int, list[OpenBook]]:
    rows = list(Book.objects.filter(run_id__in=list(run_ids)).order_by("id").values_list("id", "run_id", "account_id", "state"))
    held: dict[int, list[OpenPosition]] = defaultdict(list)
    for row in (
        Position.objects.filter(book_id__in=[row[0] for row in rows])
        .order_by("id")
        .values_list("book_id", "exchange", "symbol", "units", "open_value", "realised", "bought_units", "sold_units")
    ):
        book_id, exchange, symbol, units, open_value, realised, bought, sold = row
        held[book_id].append(OpenPosition(f"{exchange}:{symbol}", units, open_value, realised, bool(bought or sold)))
    books: dict[int, list[OpenBook]] = defaultdict(list)
    for book_id, run_id, account_id, state in rows:
        assert run_id is not None
        books[run_id].append(OpenBook(book_id, account_id, state, tuple(held[book_id])))
    return books


def _guards(run_ids: Iterable[int], limits: Mapping[int, RunLimits]) -> dict[int, list[Guard]]:
    guards: dict[int, list[Guard]] = defaultdict(list)
    for row in GuardState.objects.filter(run_id__in=list(run_ids)).order_by("id"):
        policy = policy_of(row, limits.get(row.run_id))
        if policy is not None:
            view = GuardView(Stage(row.state), row.level, row.value, row.armed_at, row.tripped_at, row.inputs)
            guards[row.run_id].append(Guard(row.pk, policy, view, row.evaluated_at))
    return guards


def policy_of(row: GuardState, limits: RunLimits | None) -> Policy | None:
    """The limit now in force for this guard; None when it was switched off."""
    if limits is None:
        return None
    if row.rule == Rule.MAX_LOSS and limits.max_loss is not None:
        return Policy(Rule.MAX_LOSS, limits.max_loss, _exits(limits.max_loss_action), row.book_id)
    if row.rule == Rule.MAX_PROFIT and limits.max_profit is not None:
        return Policy(Rule.MAX_PROFIT, limits.max_profit, _exits(limits.max_profit_action), row.book_id)
    return None


def _exits(action: str) -> Literal["EXIT", "ALERT"]:
    return "ALERT" if action == Action.ALERT else "EXIT"
