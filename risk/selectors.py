"""What is open, in a fixed number of queries, shaped for decisions."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db.models import QuerySet

from marketdata.domain.quotes import Bounds, Quote, fresh_or_none
from risk.domain.guards import BookMark, GuardView, LegMark, Policy, Signal, Snapshot, Stage
from risk.domain.snapshot import LEG_LOSSES, MONEY, UNDERLYING, ZERO, Rule
from risk.domain.terms import NO_STRUCTURE, NO_TERMS, PlannedLeg, RiskTerms, Structure, structure_of, terms_of
from risk.models import GuardState, RunLimits
from risk.policies import policy_of
from trading.domain.pnl import book_pnl
from trading.models import Book, Position, Run

log = logging.getLogger(__name__)

DEFAULT_BLIND = RunLimits.Blind.HOLD
ENTERING = frozenset({Run.State.PLANNED.value, Run.State.ENTERING.value})


@dataclass(frozen=True, slots=True)
class OpenPosition:
    key: str
    units: int
    open_value: Decimal
    realised: Decimal
    has_traded: bool
    product: str = ""
    leg: int = 0
    bought: tuple[int, Decimal] = (0, ZERO)
    sold: tuple[int, Decimal] = (0, ZERO)

    @property
    def target(self) -> str:
        """How an exit names this position."""
        return f"{self.key}:{self.product}"


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
    noted: int = 0
    # Who paused it last and why; whether it is paused, its policy says.
    paused_by: str = ""
    paused_why: str = ""


@dataclass(frozen=True, slots=True)
class OpenRun:
    run_id: int
    name: str
    blind_policy: str
    books: tuple[OpenBook, ...]
    guards: tuple[Guard, ...]
    state: str = "OPEN"
    structure: Structure = NO_STRUCTURE
    # Its terms or its structure are no row that we can read: what stands in columns guards it, the rest cannot.
    is_readable: bool = True

    @property
    def open_keys(self) -> frozenset[str]:
        """Instruments with open units: those whose price decides."""
        return frozenset(p.key for book in self.books for p in book.positions if p.units)

    @property
    def wanted_keys(self) -> frozenset[str]:
        """`open_keys`, and the index when a guard watches it."""
        watches = any(guard.policy.rule in UNDERLYING for guard in self.guards) and self.structure.underlying
        return self.open_keys | {self.structure.underlying} if watches else self.open_keys

    @property
    def needs_index(self) -> bool:
        """A guard that may still trip watches the index, and something is open."""
        waits = any(guard.policy.rule in UNDERLYING and guard.view.stage is not Stage.TRIPPED for guard in self.guards)
        return waits and bool(self.structure.underlying and self.open_keys)

    def books_in(self, book_id: int | None) -> list[OpenBook]:
        """The books a guard of this scope would exit: not those already flat."""
        return [b for b in self.books if b.is_live and (book_id is None or b.book_id == book_id)]

    @property
    def stopped_legs(self) -> frozenset[tuple[int, int]]:
        return frozenset(
            (g.policy.book_id, g.policy.leg)
            for g in self.guards
            if g.policy.rule in LEG_LOSSES
            # One that only alerts has stopped nothing.
            and g.policy.action == "EXIT"
            and g.view.stage is Stage.TRIPPED
            and g.policy.book_id is not None
            and g.policy.leg is not None
        )


PLAIN = frozenset(
    {Rule.MAX_LOSS, Rule.MAX_PROFIT, Rule.PROFIT_LOCK, Rule.EXIT_TIME, Rule.SQUARE_OFF, Rule.EXPIRY, Rule.SUPERTREND}
)


def snapshot(
    run: OpenRun,
    quotes: Mapping[str, Quote],
    now: datetime,
    bounds: Bounds,
    *,
    signal: Signal | None = None,
    with_legs: bool = False,
) -> Snapshot:
    """`with_legs` also where no guard looks at them: charts do."""
    books = {
        book.book_id: BookMark(
            pnl=book_pnl(book.positions, quotes, now, bounds),
            has_traded=any(p.has_traded for p in book.positions),
            is_live=book.is_live,
        )
        for book in run.books
    }
    if not with_legs and all(guard.policy.rule in PLAIN for guard in run.guards):
        return Snapshot(books, signal=signal)
    index = fresh_or_none(quotes.get(run.structure.underlying), now, bounds)
    return Snapshot(
        books,
        legs=_legs(run, quotes, now, bounds),
        underlying=None if index is None else index.deciding_price,
        entry_is_complete=run.state not in ENTERING,
        stopped=run.stopped_legs,
        signal=signal,
        unpriced=frozenset({run.structure.underlying}) if index is None and run.needs_index else frozenset(),
    )


def _legs(run: OpenRun, quotes: Mapping[str, Quote], now: datetime, bounds: Bounds) -> tuple[LegMark, ...]:
    held = {(book.book_id, p.key, p.product): p for book in run.books for p in book.positions}
    return tuple(
        _leg(planned, held.get((planned.book, planned.key, planned.product)), quotes, now, bounds)
        for planned in run.structure.legs
    )


def _leg(planned: PlannedLeg, held: OpenPosition | None, quotes: Mapping[str, Quote], now: datetime, bounds: Bounds) -> LegMark:
    units, value = (0, ZERO) if held is None else held.bought if planned.action == "BUY" else held.sold
    quote = fresh_or_none(quotes.get(planned.key), now, bounds)
    return LegMark(
        book_id=planned.book,
        leg=planned.leg,
        key=planned.key,
        action=planned.action,
        planned_units=planned.units,
        entry_units=units,
        entry_value=value,
        units=0 if held is None else held.units,
        mark=None if quote is None else quote.deciding_price,
    )


def open_runs(run_ids: Iterable[int] | None = None) -> list[OpenRun]:
    """Every run that is not closed, with books, positions, limits and guards: five queries, whatever their number."""
    found = _open()
    if run_ids is not None:
        found = found.filter(pk__in=list(run_ids))
    rows = {pk: (name, state, started) for pk, name, state, started in found.order_by("id").values_list(*_RUN)}
    limits = {row.run_id: row for row in RunLimits.objects.filter(run_id__in=rows)}
    told = {run_id: _told(row) for run_id, row in limits.items()}
    structures = {run_id: found.structure for run_id, found in told.items()}
    books = _books(rows)
    accounts = {run_id: frozenset(book.account_id for book in found) for run_id, found in books.items()}
    guards = _guards({run_id: row[2] for run_id, row in rows.items()}, limits, told, accounts)
    return [
        OpenRun(
            run_id=run_id,
            name=name,
            blind_policy=limits[run_id].blind_policy if run_id in limits else DEFAULT_BLIND,
            books=tuple(books[run_id]),
            guards=tuple(guards[run_id]),
            state=state,
            structure=structures.get(run_id, NO_STRUCTURE),
            is_readable=run_id not in told or told[run_id].is_readable,
        )
        for run_id, (name, state, _) in rows.items()
    ]


class _Told(NamedTuple):
    """What a run was armed with, and whether all of it could be read."""

    terms: RiskTerms
    structure: Structure
    is_readable: bool


def _told(row: RunLimits) -> _Told:
    """A row that cannot be read, of another version say, must not blind every other run."""
    try:
        return _Told(terms_of(row.terms), structure_of(row.structure), True)
    except ValueError:
        log.exception("terms not readable run=%s", row.run_id)
        return _Told(NO_TERMS, NO_STRUCTURE, False)


_RUN = ("id", "name", "state", "started_at")


def open_run(run_id: int) -> OpenRun | None:
    return next(iter(open_runs([run_id])), None)


_POSITION = (
    "book_id",
    "exchange",
    "symbol",
    "product",
    "leg",
    "units",
    "open_value",
    "realised",
    "bought_units",
    "bought_value",
    "sold_units",
    "sold_value",
)


def _books(run_ids: Iterable[int]) -> dict[int, list[OpenBook]]:
    rows = list(Book.objects.filter(run_id__in=list(run_ids)).order_by("id").values_list("id", "run_id", "account_id", "state"))
    held: dict[int, list[OpenPosition]] = defaultdict(list)
    for row in Position.objects.filter(book_id__in=[row[0] for row in rows]).order_by("id").values_list(*_POSITION):
        book_id, exchange, symbol, product, leg, units, open_value, realised, bought, paid, sold, received = row
        held[book_id].append(
            OpenPosition(
                f"{exchange}:{symbol}",
                units,
                open_value,
                realised,
                bool(bought or sold),
                product,
                leg,
                (bought, paid),
                (sold, received),
            )
        )
    books: dict[int, list[OpenBook]] = defaultdict(list)
    for book_id, run_id, account_id, state in rows:
        assert run_id is not None
        books[run_id].append(OpenBook(book_id, account_id, state, tuple(held[book_id])))
    return books


def _guards(
    started: Mapping[int, datetime],
    limits: Mapping[int, RunLimits],
    told: Mapping[int, _Told],
    accounts: Mapping[int, frozenset[int]],
) -> dict[int, list[Guard]]:
    guards: dict[int, list[Guard]] = defaultdict(list)
    for row in GuardState.objects.filter(run_id__in=list(started)).order_by("id"):
        known = limits.get(row.run_id)
        if known is None:
            continue
        policy = policy_of(
            row,
            known,
            told[row.run_id].terms,
            told[row.run_id].structure,
            started[row.run_id],
            accounts=accounts.get(row.run_id, ()),
        )
        if policy is not None:
            view = GuardView(Stage(row.state), row.level, row.value, row.armed_at, row.tripped_at, row.inputs)
            if row.paused_until is not None:
                policy = replace(policy, paused_until=row.paused_until)
            guard = Guard(row.pk, policy, view, row.evaluated_at, row.noted, row.paused_by, row.paused_why)
            guards[row.run_id].append(guard)
    return guards


def _open() -> QuerySet[Run]:
    return Run.objects.exclude(state=Run.State.CLOSED)


def money_guards(run: OpenRun) -> list[Guard]:
    return [guard for guard in run.guards if guard.policy.rule in MONEY]
