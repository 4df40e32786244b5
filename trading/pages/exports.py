"""Orders, trades and positions as tables: all that the filter asks for, with exact numbers and times in UTC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.db.models import QuerySet

from algomirror.ops.sheets import Table, Value
from trading.models import Fill, Order
from trading.pages import orders, positions, trades

MOST_ROWS = 50_000


def orders_table(wish: orders.Wish) -> Table:
    """One row per broker order, newest first."""
    head = (
        "created", "account", "mode", "owner", "our id", "broker id", "purpose", "exchange", "symbol", "product", "action",
        "units", "filled", "price type", "price", "trigger", "average", "state", "reason", "sent", "finished",
    )  # fmt: skip
    found = orders.ours(wish).select_related("account", "book__run").order_by("-id")[:MOST_ROWS]
    return Table("orders", head, _orders(found))


def _orders(found: QuerySet[Order]) -> Iterator[Sequence[Value]]:
    for o in found.iterator(chunk_size=1_000):
        average = o.filled_value / o.filled_units if o.filled_units else None
        yield (
            o.created_at, o.account.name, o.book.mode, _owner(o), o.client_order_id, o.broker_order_id, o.purpose, o.exchange,
            o.symbol, o.product, o.action, o.units, o.filled_units, o.price_type, o.price or None, o.trigger_price or None,
            average, o.state, o.reason, o.sent_at, o.finished_at,
        )  # fmt: skip


def _owner(row: Order | Fill) -> str:
    return "ticket" if row.book.run is None else f"run {row.book.run_id} {row.book.run.name}"


def trades_table(wish: trades.Wish) -> Table:
    """One row per fill, newest first."""
    head = (
        "first seen", "account", "mode", "owner", "our id", "broker id", "exchange", "symbol", "product", "action", "units",
        "price", "value", "decided at", "slippage", "source",
    )  # fmt: skip
    found = trades.ours(wish).select_related("account", "book__run", "order").order_by("-id")[:MOST_ROWS]
    return Table("trades", head, _trades(found))


def _trades(found: QuerySet[Fill]) -> Iterator[Sequence[Value]]:
    for f in found.iterator(chunk_size=1_000):
        decision = f.order.decision_price
        yield (
            f.first_seen_at, f.account.name, f.book.mode, _owner(f), f.order.client_order_id, f.broker_order_id, f.exchange,
            f.symbol, f.product, f.action, f.units, f.value / f.units, f.value, decision,
            trades.slippage(f.action, f.units, f.value, decision), f.source,
        )  # fmt: skip


def positions_table(wish: positions.Wish) -> Table:
    """One row per account and instrument and book; what only the broker shows has no owner."""
    head = (
        "account", "mode", "exchange", "symbol", "product", "owner", "units", "average", "last", "unrealised", "realised",
        "broker units", "outside", "check",
    )  # fmt: skip
    rows: list[Sequence[Value]] = []
    for panel in positions.positions_page(wish).panels:
        tag = panel.read.tag
        for row in panel.rows:
            about = (tag.name, tag.mode, row.exchange, row.symbol, row.product)
            seen = (row.compared.broker_units, row.compared.outside, row.compared.verdict.value)
            rows += [
                (*about, h.owner.text, h.units, h.average, row.last, h.pnl.unrealised, h.pnl.realised, *seen) for h in row.holders
            ] or [(*about, "outside", None, row.average, row.last, None, None, *seen)]
    return Table("positions", head, rows)
