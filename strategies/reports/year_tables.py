"""The tax-year summary as tables: for CSV and for the workbook. Rupees; empty is unknown."""

from __future__ import annotations

from typing import Final

from algomirror.ops.sheets import Table, Value
from strategies.reports.kinds import LABELS
from strategies.reports.year import Sum, YearReport

MONEY: Final = ("closed trades", "turnover", "gross", *LABELS, "charges", "net", "orders")
KINDS: Final = ("months", "accounts", "cells")


def table(report: YearReport, kind: str) -> Table:
    """One of KINDS: all accounts by month, the year by account, or each account by month."""
    if kind == "months":
        rows = [[month.isoformat()[:7], *_values(one)] for month, one in report.by_month]
        return Table(f"months {_name(report)}", ("month", *MONEY), [*rows, ["all", *_values(report.total)]])
    if kind == "accounts":
        rows = [[tag.name, *_values(one)] for tag, one in report.by_account]
        return Table(f"accounts {_name(report)}", ("account", *MONEY), [*rows, ["all", *_values(report.total)]])
    names = {tag.account_id: tag.name for tag in report.accounts}
    cells = sorted(report.cells.items(), key=lambda cell: (names[cell[0][0]], cell[0][1]))
    rows = [[names[pk], month.isoformat()[:7], *_values(one)] for (pk, month), one in cells]
    return Table(f"account months {_name(report)}", ("account", "month", *MONEY), rows)


def all_tables(report: YearReport) -> list[Table]:
    return [table(report, kind) for kind in KINDS]


def _name(report: YearReport) -> str:
    return f"{report.year}-{report.year + 1} {report.mode}"


def _values(one: Sum) -> list[Value]:
    costs = one.costs
    return [one.trades, one.turnover, one.gross, *costs.values, costs.total, one.net, costs.orders]
