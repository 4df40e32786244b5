"""The P&L charts of a run and of today: the curve, the lines of its limits, and what happened when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, time
from decimal import Decimal
from typing import Any

from accounts.models import Account
from algomirror.kernel import clock
from marketdata import candles
from marketdata import quotes as store
from marketdata.domain.candles import MINUTE
from marketdata.domain.sessions import instant
from risk import pages as risk_pages
from risk.models import RiskEvent, RunLimits
from risk.selectors import open_runs
from strategies.domain.curve import CARRIED, Close, CurveFill, curve, instants
from trading.models import ExitGoal, Fill, Run
from trading.pages import day as day_pages

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
    lines = _lines_in_force(row) if row is not None else _lines_of(run)
    return {**_drawn(points), "lines": lines, "marks": _marks(run, start)}


def day_chart() -> dict[str, Any]:
    """What all accounts that are seen made today in the mode of the dashboard's figure: their fills, and what they held when
    the day began, bought at the close before. Ends with the present P&L; once prices stand still, with the last minute that
    had one."""
    lines, now = day_pages.lines_of_today(), clock.now()
    quotes = store.get(day_pages.keys_of(lines))
    today = day_pages.of(lines, quotes, now)
    mode = day_pages.modes_of(today, Account.objects.filter(archived_at=None).order_by().values_list("mode", flat=True))[0]
    lines = {line: row for line, row in lines.items() if line[1] == mode}
    begins = instant(clock.trading_day(now), time()) + clock.BROKER_DAY_STARTS
    fills = _fills_of_today(mode)
    closes = _closes({row.key for row in lines.values()}, begins, now)
    times = [close.at for rows in closes.values() for close in rows]
    carried: Counter[str] = Counter()
    for row in lines.values():
        carried[row.key] += row.units_before
    began = [fill.at for fill in fills[:1]] + ([min(times) - MINUTE] if times and any(carried.values()) else [])
    start = min(began, default=now)
    if not lines or start >= now:
        return {**_drawn([]), "lines": [], "marks": []}
    opening: list[CurveFill] = []
    for key, units in carried.items():
        if not units:
            continue
        before = None if (quote := quotes.get(key)) is None else quote.close_before(clock.trading_day(now))
        if before is None:
            return {**_drawn([(start, None), (now, None)]), "lines": [], "marks": []}
        opening.append(_of_all(start, key, "BUY" if units > 0 else "SELL", abs(units), before * abs(units)))
    last = max([*times, *(fill.at for fill in fills)], default=now)
    end = now if now - last <= CARRIED else last
    points = curve([*opening, *fills], closes, instants(times, start=start, end=end))
    if end == now:
        points[-1] = (now, today.made(mode).total)
    return {**_drawn(points), "lines": [], "marks": []}


def _drawn(points: Iterable[tuple[datetime, Decimal | None]]) -> dict[str, Any]:
    rows = list(points)
    return {
        "t": [int(at.timestamp()) for at, _ in rows],
        "pnl": [None if value is None else f"{value:.2f}" for _, value in rows],
    }


def _of_all(at: datetime, key: str, action: str, units: int, value: Decimal) -> CurveFill:
    """Whose it is makes no difference to what all made together, and an instrument is marked once, not once an account."""
    return CurveFill(at, (0, key, ""), key, "BUY" if action == "BUY" else "SELL", units, value)


def _fills_of_today(mode: str) -> list[CurveFill]:
    rows = Fill.objects.filter(trading_day=clock.trading_day(), book__mode=mode).order_by("first_seen_at", "id")
    columns = ("first_seen_at", "exchange", "symbol", "action", "units", "value")
    return [_of_all(at, f"{exchange}:{symbol}", *rest) for at, exchange, symbol, *rest in rows.values_list(*columns)]


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
