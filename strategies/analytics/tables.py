"""The same figures as tables: for CSV, for the workbook, for the API."""

from __future__ import annotations

from collections.abc import Iterable

from algomirror.ops.sheets import Table, Value
from strategies.analytics.page import Analytics, RunLine, Sum
from strategies.domain.returns import equity

_MONEY = ("gross", "charges", "net", "slippage", "turnover", "orders", "runs")
KINDS = ("days", "runs", "strategies", "accounts", "reasons", "equity")


def table(page: Analytics, kind: str) -> Table:
    """One of KINDS. Rupees; empty is unknown."""
    if kind == "runs":
        return _runs(page.runs)
    if kind == "equity":
        return _equity(page)
    sums = {"days": page.days, "strategies": page.strategies, "accounts": page.accounts, "reasons": page.reasons}[kind]
    return _sums(kind, sums)


def all_tables(page: Analytics) -> list[Table]:
    return [table(page, kind) for kind in KINDS]


def _sums(kind: str, sums: Iterable[Sum]) -> Table:
    first = {"days": "day", "strategies": "strategy", "accounts": "account", "reasons": "exit reason"}[kind]
    rows: list[list[Value]] = [
        [one.key if kind == "days" else one.name, *(getattr(one, name) for name in _MONEY)] for one in sums
    ]
    return Table(kind, (first, *_MONEY), rows)


def _runs(runs: Iterable[RunLine]) -> Table:
    about = ("run", "name", "strategy", "mode", "started", "flat", "exit reason", "minutes", "accounts")
    head = (*about, *_MONEY[:6], "best", "worst", "tags")
    rows: list[list[Value]] = [
        [
            line.run.pk,
            line.run.name,
            line.strategy,
            line.run.mode,
            line.run.started_at,
            line.run.flat_at,
            line.run.exit_reason,
            line.minutes,
            line.accounts,
            *(getattr(line.total, name) for name in _MONEY[:6]),
            line.highest,
            line.lowest,
            " ".join(line.tags),
        ]
        for line in runs
    ]
    return Table("runs", head, rows)


def _equity(page: Analytics) -> Table:
    by_day = {one.key: one.net for one in page.days if one.net is not None}
    points = equity(by_day) if len(by_day) == len(page.days) else []
    return Table("equity", ("day", "net so far", "drawdown"), [[point.day, point.net, point.drawdown] for point in points])
