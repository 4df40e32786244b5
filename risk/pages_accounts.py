"""Positions by account: how much of every instrument each account holds, and which run holds it there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from risk import selectors
from risk.domain.sentences import RULE_NAMES
from risk.domain.states import TradingMode
from risk.models import TradingState
from risk.selectors import Guard
from trading.domain.pnl import Pnl, run_pnl
from trading.pages.held import Holder
from trading.pages.positions import BookLine, Panel, PositionsPage, Row, Wish, positions_page
from trading.pages.tags import Tag

Instrument = tuple[str, str]  # symbol, product


@dataclass(frozen=True, slots=True)
class Cell:
    """What an account owns of one instrument; `pnl` is realised and unrealised, None while its price is unknown."""

    units: int
    lot: int
    pnl: Decimal | None


@dataclass(frozen=True, slots=True)
class Leg:
    holder: Holder
    last: Decimal | None
    received_ms: int | None
    lot: int
    exchange: str

    @property
    def price_key(self) -> str:
        return f"{self.exchange}:{self.holder.symbol}"


@dataclass(frozen=True, slots=True)
class RunHere:
    """One run's part in one account. `guards` are those that watch this part: the run's and the book's own."""

    line: BookLine
    run_id: int | None
    legs: tuple[Leg, ...]
    pnl: Pnl
    guards: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AccountRow:
    tag: Tag
    state: str
    cells: tuple[Cell | None, ...]
    runs: tuple[RunHere, ...]
    pnl: Pnl
    error: str
    is_folded: bool


@dataclass(frozen=True, slots=True)
class AccountPositions:
    instruments: list[Instrument]
    rows: list[AccountRow]
    totals: tuple[Cell | None, ...]
    pnl: Pnl
    watched: str
    is_open: bool


def account_positions(account_id: int | None = None) -> AccountPositions:
    """Fifteen queries and two looks at the quote store, whatever the number of accounts and positions."""
    page = positions_page(Wish(account=account_id))
    instruments = sorted({(row.symbol, row.product) for panel in page.panels for row in panel.rows if _is_held(row)})
    states: dict[int | None, str] = dict(TradingState.objects.values_list("account_id", "state"))
    guards = _guards(page)
    rows = [_row(panel, instruments, states, guards) for panel in page.panels]
    return AccountPositions(
        instruments=instruments,
        rows=rows,
        totals=tuple(_total(row.cells[n] for row in rows) for n in range(len(instruments))),
        pnl=page.pnl,
        watched=page.watched,
        is_open=page.is_open,
    )


def _is_held(row: Row) -> bool:
    return any(holder.units for holder in row.holders)


def _units(row: Row) -> int:
    return sum(holder.units for holder in row.holders)


def _row(
    panel: Panel, instruments: Iterable[Instrument], states: Mapping[int | None, str], guards: Mapping[int, tuple[str, ...]]
) -> AccountRow:
    held = {(row.symbol, row.product): Cell(_units(row), row.lot, row.pnl.total) for row in panel.rows if _is_held(row)}
    tag = panel.read.tag
    return AccountRow(
        tag=tag,
        state=states.get(tag.account_id, TradingMode.ACTIVE.value),
        cells=tuple(held.get(one) for one in instruments),
        runs=tuple(_run(line, panel, guards) for line in panel.books),
        pnl=panel.pnl,
        error=panel.read.error,
        is_folded=panel.is_folded,
    )


def _run(line: BookLine, panel: Panel, guards: Mapping[int, tuple[str, ...]]) -> RunHere:
    legs = tuple(
        Leg(holder, row.last, row.received_ms, row.lot, row.exchange)
        for row in panel.rows
        for holder in row.holders
        if holder.book_id == line.book_id
    )
    run_id = line.owner.url.rpartition("/")[2]
    return RunHere(
        line=line,
        run_id=int(run_id) if run_id else None,
        legs=legs,
        pnl=run_pnl(leg.holder.pnl for leg in legs),
        guards=guards.get(line.book_id, ()),
    )


def _guards(page: PositionsPage) -> dict[int, tuple[str, ...]]:
    """Of each book the guards that watch it, in words."""
    open_books = {line.book_id for panel in page.panels for line in panel.books}
    if not open_books:
        return {}
    found: dict[int, list[str]] = defaultdict(list)
    for run in selectors.open_runs():
        for book in run.books:
            if book.book_id in open_books:
                found[book.book_id] = [_said(guard) for guard in run.guards if guard.policy.book_id in (None, book.book_id)]
    return {book_id: tuple(dict.fromkeys(words)) for book_id, words in found.items()}


def _said(guard: Guard) -> str:
    return f"{RULE_NAMES[guard.policy.rule.value].lower()} {guard.view.stage.value.lower()}"


def _total(cells: Iterable[Cell | None]) -> Cell | None:
    known = [cell for cell in cells if cell is not None]
    if not known:
        return None
    parts = [cell.pnl for cell in known]
    whole = None if any(part is None for part in parts) else sum((part for part in parts if part is not None), Decimal(0))
    return Cell(sum(cell.units for cell in known), known[0].lot, whole)
