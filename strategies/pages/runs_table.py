"""Runs that ended, as a table for a file."""

from __future__ import annotations

from algomirror.ops.sheets import Table
from strategies.pages.runs import past_rows

MOST_ROWS = 5_000


def runs_table() -> Table:
    head = (
        "run", "name", "version", "mode", "started", "flat", "exit reason", "gross", "charges", "net", "max drawdown", "slippage",
        "tags",
    )  # fmt: skip
    rows = [
        (
            row.run.pk, row.run.name, row.version, row.run.mode, row.run.started_at, row.run.flat_at, row.run.exit_reason,
            row.realised, row.charges, row.net, row.drawdown, row.slippage, " ".join(row.words),
        )
        for row in past_rows(MOST_ROWS)
    ]  # fmt: skip
    return Table("runs", head, rows)
