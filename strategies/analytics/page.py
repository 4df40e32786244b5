"""The analytics page: the same cuts, summed by day, run, strategy, account and exit reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from accounts.models import Account
from algomirror.kernel import clock
from strategies.analytics.reading import ZERO, Cut, Period, Wish, period
from strategies.domain.returns import Record, Span, Square, equity, record, start_of, weeks
from strategies.models import RunNote
from trading.models import Run
from trading.models.books import ExitReason

TICKETS = "Tickets"
RUNS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Sum:
    """Cuts added up. `net` and `charges` None: a charge rate of one of the days is missing. `slippage` None: none known."""

    name: str
    key: Any
    gross: Decimal
    charges: Decimal | None
    net: Decimal | None
    slippage: Decimal | None
    turnover: Decimal
    orders: int
    runs: int
    cuts: tuple[Cut, ...] = ()

    @property
    def slippage_share(self) -> Decimal | None:
        """Slippage in percent of what was traded."""
        return None if self.slippage is None or not self.turnover else self.slippage * 100 / self.turnover


@dataclass(frozen=True, slots=True)
class RunLine:
    run: Run
    strategy: str
    total: Sum
    accounts: int
    minutes: int | None
    highest: Decimal | None
    lowest: Decimal | None
    tags: tuple[str, ...]
    notes: int


@dataclass(frozen=True, slots=True)
class Analytics:
    wish: Wish
    total: Sum
    days: list[Sum]
    spans: list[Sum]
    strategies: list[Sum]
    accounts: list[Sum]
    reasons: list[Sum]
    runs: list[RunLine]
    matrix_head: list[str]
    matrix: list[tuple[str, list[Decimal | None]]]
    calendar: list[list[Square]]
    record: Record
    drawdown: Decimal | None
    notes: list[RunNote]
    is_cut: bool

    @property
    def is_empty(self) -> bool:
        return not self.days


def analytics(wish: Wish, *, span: Span = "day") -> Analytics:
    found = period(wish)
    by_day = _sums(found.cuts, lambda cut: cut.day, lambda day: day.isoformat())
    runs = _runs(found)
    net_by_day = {one.key: one.net for one in by_day if one.net is not None}
    points = equity(net_by_day) if len(net_by_day) == len(by_day) else []
    return Analytics(
        wish=wish,
        total=_sum("All", None, found.cuts),
        days=by_day[::-1],
        spans=_sums(found.cuts, lambda cut: start_of(cut.day, span), lambda day: day.isoformat())[::-1],
        strategies=_by_net(_sums(found.cuts, lambda cut: _strategy(cut, found), str)),
        accounts=_by_net(_sums(found.cuts, lambda cut: cut.account_id, lambda pk: _account_name(pk, found))),
        reasons=_by_net(_sums(found.cuts, lambda cut: _reason(cut, found), str)),
        runs=runs[:RUNS_SHOWN],
        **_matrix(found),
        calendar=weeks(net_by_day, wish.first, wish.last),
        record=record([line.total.net for line in runs if line.total.net is not None and line.run.flat_at is not None]),
        drawdown=max((point.drawdown for point in points), default=None),
        notes=[note for pk in sorted(found.notes, reverse=True) for note in found.notes[pk]],
        is_cut=len(runs) > RUNS_SHOWN,
    )


def _sum(name: str, key: Any, cuts: Iterable[Cut]) -> Sum:
    cuts = list(cuts)
    known = [cut.charges for cut in cuts if cut.charges is not None]
    costs = sum(known, ZERO) if len(known) == len(cuts) else None
    gross = sum((cut.gross for cut in cuts), ZERO)
    slipped = [cut.earned.slippage for cut in cuts if cut.earned.slippage is not None]
    return Sum(
        name=name,
        key=key,
        gross=gross,
        charges=costs,
        net=None if costs is None else gross - costs,
        slippage=sum(slipped, ZERO) if slipped else None,
        turnover=sum((cut.earned.turnover for cut in cuts), ZERO),
        orders=sum(cut.orders for cut in cuts),
        runs=len({cut.run_id for cut in cuts if cut.run_id is not None}),
        cuts=tuple(cuts),
    )


def _sums(cuts: Iterable[Cut], by: Callable[[Cut], Any], name: Callable[[Any], str]) -> list[Sum]:
    """By ascending key."""
    grouped: dict[Any, list[Cut]] = defaultdict(list)
    for cut in cuts:
        grouped[by(cut)].append(cut)
    return [_sum(name(key), key, grouped[key]) for key in sorted(grouped)]


def _by_net(sums: list[Sum]) -> list[Sum]:
    return sorted(sums, key=lambda one: one.gross if one.net is None else one.net, reverse=True)


def _strategy(cut: Cut, found: Period) -> str:
    if cut.strategy_id is not None:
        return found.strategies.get(cut.strategy_id, f"strategy {cut.strategy_id}")
    run = found.runs.get(cut.run_id) if cut.run_id is not None else None
    return TICKETS if run is None else run.name


def _account_name(pk: int, found: Period) -> str:
    account = found.accounts.get(pk)
    return account.name if account is not None else f"account {pk}"


def _reason(cut: Cut, found: Period) -> str:
    run = found.runs.get(cut.run_id) if cut.run_id is not None else None
    if run is None:
        return TICKETS
    return ExitReason(run.exit_reason).label if run.exit_reason else "still open"


def _runs(found: Period) -> list[RunLine]:
    grouped: dict[int, list[Cut]] = defaultdict(list)
    for cut in found.cuts:
        if cut.run_id in found.runs:
            grouped[cut.run_id].append(cut)
    return [_run_line(found.runs[pk], grouped[pk], found) for pk in sorted(grouped, reverse=True)]


def _run_line(run: Run, cuts: list[Cut], found: Period) -> RunLine:
    extremes = found.extremes.get(run.pk)
    return RunLine(
        run=run,
        strategy=_strategy(cuts[0], found),
        total=_sum(run.name, run.pk, cuts),
        accounts=len({cut.account_id for cut in cuts}),
        minutes=None if run.flat_at is None else int((run.flat_at - run.started_at).total_seconds() // 60),
        highest=None if extremes is None else extremes.highest,
        lowest=None if extremes is None else extremes.lowest,
        tags=found.tags.get(run.pk, ()),
        notes=len(found.notes.get(run.pk, ())),
    )


def _matrix(found: Period) -> dict[str, Any]:
    """Net by strategy and account."""
    cells: dict[tuple[str, int], list[Cut]] = defaultdict(list)
    for cut in found.cuts:
        cells[_strategy(cut, found), cut.account_id].append(cut)
    accounts = sorted({pk for _, pk in cells}, key=lambda pk: _account_name(pk, found))
    names = sorted({name for name, _ in cells})
    return {
        "matrix_head": [_account_name(pk, found) for pk in accounts],
        "matrix": [
            (name, [_sum("", None, cells[name, pk]).net if (name, pk) in cells else None for pk in accounts]) for name in names
        ],
    }


def equity_series(wish: Wish) -> dict[str, Any]:
    """The equity curve for the chart: the end of each day, and the drawdown below it."""
    found = period(wish)
    by_day = {one.key: one.net for one in _sums(found.cuts, lambda cut: cut.day, str)}
    if any(net is None for net in by_day.values()):
        return {"t": [], "pnl": [], "drawdown": [], "lines": [], "marks": []}
    points = equity({day: net for day, net in by_day.items() if net is not None})
    before = [min(by_day) - timedelta(days=1)] if by_day else []
    return {
        "t": [_epoch(day) for day in [*before, *(point.day for point in points)]],
        "pnl": ["0.00" for _ in before] + [f"{point.net:.2f}" for point in points],
        "drawdown": ["0.00" for _ in before] + [f"{-point.drawdown:.2f}" for point in points],
        "lines": [],
        "marks": [],
    }


def _epoch(day: date) -> int:
    return int(clock.start_of(day).timestamp()) + 12 * 3600


def default_wish(mode: str = "") -> Wish:
    """The last thirty days; of live accounts if there are any."""
    today = clock.trading_day()
    has_live = Account.objects.filter(mode=Account.Mode.LIVE).exists()
    return Wish(today - timedelta(days=29), today, mode or ("LIVE" if has_live else "PAPER"))
