"""The P&L chart of a run: the curve, the lines of its limits, and what happened when."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from algomirror.kernel import clock
from marketdata import candles
from marketdata.domain.candles import MINUTE
from risk import pages as risk_pages
from risk.models import RiskEvent, RunLimits
from risk.selectors import open_runs
from strategies.domain.curve import Close, CurveFill, curve, instants
from trading.models import ExitGoal, Fill, Run

KINDS = {"MAX_LOSS": "loss", "MAX_PROFIT": "profit", "TRAILING_STOP": "stop", "PROFIT_LOCK": "stop"}


def pnl_chart(run: Run) -> dict[str, Any]:
    """Nine queries at most, whatever the length of the run. Ends with the present P&L, or with the flat one."""
    fills = _fills(run)
    now = clock.now()
    if not fills:
        return {"t": [], "pnl": [], "lines": [], "marks": []}
    start, end = fills[0].at, run.flat_at or now
    closes = _closes({fill.key for fill in fills}, start, end)
    ends = {close.at for rows in closes.values() for close in rows}
    points = curve(fills, closes, instants(ends, start=start, end=end))
    row = next(iter(risk_pages.run_rows(open_runs([run.pk]))), None) if run.state != Run.State.CLOSED else None
    if row is not None:
        points[-1] = (now, row.total)
    return {
        "t": [int(at.timestamp()) for at, _ in points],
        "pnl": [None if value is None else f"{value:.2f}" for _, value in points],
        "lines": _lines_in_force(row) if row is not None else _lines_of(run),
        "marks": _marks(run, start),
    }


def _fills(run: Run) -> list[CurveFill]:
    rows = Fill.objects.filter(book__run=run).order_by("first_seen_at", "id")
    columns = ("first_seen_at", "book_id", "exchange", "symbol", "product", "action", "units", "value")
    return [
        CurveFill(at, (book_id, symbol, product), f"{exchange}:{symbol}", "BUY" if action == "BUY" else "SELL", units, value)
        for at, book_id, exchange, symbol, product, action, units, value in rows.values_list(*columns)
    ]


def _closes(keys: Iterable[str], start: datetime, end: datetime) -> dict[str, list[Close]]:
    found = candles.minutes(keys, start - 5 * MINUTE, end)
    return {key: [Close(minute.at + MINUTE, minute.close) for minute in rows] for key, rows in found.items()}


def _lines_in_force(row: risk_pages.RunRow) -> list[dict[str, str]]:
    return [
        {"label": limit.name, "value": f"{limit.level:.2f}", "kind": KINDS[limit.rule]}
        for limit in row.limits
        if limit.rule in KINDS and limit.scope == "run" and limit.level is not None
    ]


def _lines_of(run: Run) -> list[dict[str, str]]:
    """What limited a run that ended; its trailing stop ended with it."""
    limits = RunLimits.objects.filter(run=run).first()
    if limits is None or limits.scope != RunLimits.Scope.RUN:
        return []
    asked: list[tuple[str, Decimal | None, str]] = [
        ("Max loss", None if limits.max_loss is None else -limits.max_loss, "loss"),
        ("Max profit", limits.max_profit, "profit"),
    ]
    return [{"label": label, "value": f"{value:.2f}", "kind": kind} for label, value, kind in asked if value is not None]


def _marks(run: Run, start: datetime) -> list[dict[str, Any]]:
    marks: list[tuple[datetime, str]] = [(start, "First fill")]
    marks += [(event.at, event.name) for event in RiskEvent.objects.filter(run=run).order_by("id")[:20]]
    goals = ExitGoal.objects.filter(book__run=run).order_by("requested_at").values_list("requested_at", flat=True)
    marks += [(at, "Exit asked") for at in goals[:1]]
    marks += [(run.flat_at, "Flat")] if run.flat_at is not None else []
    return [{"t": int(at.timestamp()), "label": label} for at, label in sorted(marks)]
