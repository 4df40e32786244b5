"""orderbook, tradebook, positionbook, holdings, orderstatus, openposition, pnl/symbols."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from simulator.clock import stamp
from simulator.orders import COMPLETE, OPEN, REJECTED, TRIGGER_PENDING, Order, Position, Trade
from simulator.rest.core import ApiError, Body, Call
from simulator.sandbox import SandboxBroker
from simulator.sessions import books_since
from simulator.shares import body

UTC_OFFSET = timedelta(hours=5, minutes=30)


def rupees(value: Decimal) -> float:
    return round(float(value), 2)


def orderbook(call: Call) -> Body:
    orders = _faulted(call, "orderbook", call.account.broker.visible_orders())
    if call.account.analyze:
        orders = list(reversed(orders))
    rows = [order_row(call, o) for o in orders]
    for row, neighbour in zip(rows[1:], rows, strict=False):
        if call.account.faults.hit("neighbour_status", call.account.index, "orderbook", row["symbol"]) is not None:
            row["order_status"] = neighbour["order_status"]
    return {"data": {"orders": rows, "statistics": _statistics(orders, call.account.analyze)}, "status": "success"}


def _statistics(orders: Iterable[Order], analyze: bool) -> dict[str, int]:
    orders = list(orders)

    def count(status: str) -> int:
        return sum(1 for o in orders if o.status == status)

    found = {
        "total_buy_orders": sum(1 for o in orders if o.is_buy),
        "total_completed_orders": count(COMPLETE),
        "total_open_orders": count(OPEN),
        "total_rejected_orders": count(REJECTED),
        "total_sell_orders": sum(1 for o in orders if not o.is_buy),
    }
    if analyze:
        found["total_trigger_pending_orders"] = count(TRIGGER_PENDING)
    return found


def order_row(call: Call, order: Order) -> Body:
    """One order book row; the live one lacks fill figures and the reason."""
    r = order.request
    row: Body = {
        "action": r.action,
        "exchange": r.exchange,
        "order_status": order.status,
        "orderid": order.orderid,
        "price": rupees(order.price),
        "pricetype": order.pricetype,
        "product": r.product,
        "quantity": order.quantity,
        "symbol": r.symbol,
        "timestamp": stamp(order.placed_at + _skew(call)),
        "trigger_price": rupees(order.trigger),
    }
    if not call.account.analyze:
        return row
    pending = 0 if order.status in (COMPLETE, REJECTED) else order.pending
    row.update(
        average_price=rupees(order.average),
        filled_quantity=order.filled,
        pending_quantity=pending,
        rejection_reason=order.reason,
        strategy=r.strategy,
        price=rupees(order.reference if order.pricetype == "MARKET" else order.price),
    )
    return row


def orderstatus(call: Call) -> Body:
    orderid = call.text("orderid")
    order = call.account.broker.order(orderid)
    if order is None:
        raise ApiError(f"Order {orderid} not found", 404)
    row = order_row(call, order)
    if call.account.analyze:
        row["price_type"] = row.pop("pricetype")
        del row["rejection_reason"]
    else:
        first = next((t for t in call.account.broker.visible_trades() if t.orderid == orderid), None)
        filled = order.status == COMPLETE and first is not None
        row["average_price"] = rupees(first.price) if filled and first is not None else 0.0
    return {"data": row, "status": "success"}


def tradebook(call: Call) -> Body:
    trades = _faulted(call, "tradebook", call.account.broker.visible_trades())
    if call.account.faults.hit("missing_trades", call.account.index, "tradebook") is not None:
        trades = []
    if call.account.analyze:
        trades = list(reversed(trades))
    return {"data": [_trade_row(call, t) for t in trades], "status": "success"}


def _trade_row(call: Call, trade: Trade) -> Body:
    at = trade.at + _skew(call)
    row: Body = {
        "action": trade.action,
        "average_price": rupees(trade.price),
        "exchange": trade.exchange,
        "orderid": trade.orderid,
        "product": trade.product,
        "quantity": trade.quantity,
        "symbol": trade.symbol,
        "timestamp": f"{at:%H:%M:%S}",
        "trade_value": rupees(trade.price * trade.quantity),
    }
    if call.account.analyze:
        row.update(price=rupees(trade.price), strategy=trade.strategy, timestamp=stamp(at), tradeid=trade.tradeid)
    return row


def positionbook(call: Call) -> Body:
    broker = call.account.broker
    positions = _faulted(call, "positionbook", [p for p in broker.visible_positions() if _dated_today(call, p)])
    if not call.account.analyze:
        return {"data": [_live_position(call, p) for p in positions], "status": "success"}
    if isinstance(broker, SandboxBroker):
        broker.mark()
    rows = [_paper_position(call, p) for p in positions]
    return {"data": rows, **_totals(call, positions), "status": "success"}


def _dated_today(call: Call, position: Position) -> bool:
    """The sandbox stamps rows in UTC and compares with 03:00 IST: until 08:30 it hides today's own rows."""
    if not call.account.analyze or call.account.market.always_open or position.updated_at is None:
        return True
    carried = position.product == "NRML" and position.quantity != 0
    return carried or position.updated_at - UTC_OFFSET >= books_since(
        call.account.market.clock.now(), call.account.options.books_roll_at
    )


def pnl_symbols(call: Call) -> Body:
    if not call.account.analyze:
        raise ApiError("P&L by symbol is available in analyze mode only", 400)
    positions = call.account.broker.visible_positions()
    dropped = ("average_price", "lot_size", "ltp", "pnlpercent")
    rows = [{k: v for k, v in _paper_position(call, p).items() if k not in dropped} for p in positions]
    return {"data": rows, **_totals(call, positions), "status": "success"}


def _totals(call: Call, positions: Iterable[Position]) -> dict[str, float]:
    realised = sum((p.realised_today for p in positions), Decimal(0))
    open_ones = [p for p in positions if p.quantity]
    unrealised = sum((p.unrealised(call.account.broker.last_or_average(p)) for p in open_ones), Decimal(0))
    total = rupees(realised + unrealised)
    return {
        "total_pnl": total,
        "total_pnl_today": total,
        "total_today_realized_pnl": rupees(realised),
        "total_unrealized_pnl": rupees(unrealised),
    }


def _paper_position(call: Call, p: Position) -> Body:
    last = call.account.broker.last_or_average(p)
    unrealised = p.unrealised(last)
    total = p.realised_today + unrealised
    cost = rupees(p.average) * abs(p.quantity)
    return {
        "average_price": rupees(p.average),
        "exchange": p.exchange,
        "lot_size": 1.0,
        "ltp": rupees(last),
        "pnl": rupees(total),
        "pnlpercent": float(total) / cost * 100.0 if cost else 0.0,
        "product": p.product,
        "quantity": p.quantity,
        "symbol": p.symbol,
        "today_realized_pnl": rupees(p.realised_today),
        "total_pnl_today": rupees(total),
        # A flat row repeats the realised figure here, as the server does.
        "unrealized_pnl": rupees(unrealised if p.quantity else p.realised_today),
    }


def _live_position(call: Call, p: Position) -> Body:
    last = call.account.broker.last_or_average(p)
    return {
        "average_price": f"{p.average:.2f}",
        "exchange": p.exchange,
        "ltp": rupees(last),
        "pnl": rupees(p.realised_today + p.unrealised(last)),
        "product": p.product,
        "quantity": p.quantity,
        "symbol": p.symbol,
    }


def holdings(call: Call) -> Body:
    shares = _faulted(call, "holdings", call.account.shares)
    return {"data": body(list(shares), is_paper=call.account.analyze), "status": "success"}


def openposition(call: Call) -> Body:
    f = call.fields
    quantity = call.account.broker.position_quantity(f["exchange"], f["symbol"], f["product"])
    return {"quantity": quantity, "status": "success"}


def _faulted(call: Call, book: str, rows: list[Any]) -> list[Any]:
    """The rows after books_fail, books_empty and books_partial."""
    faults, index = call.account.faults, call.account.index
    failure = faults.hit("books_fail", index, book)
    if failure is not None:
        raise ApiError(str(failure.params["message"]), 500)
    if faults.hit("books_empty", index, book) is not None:
        return []
    partial = faults.hit("books_partial", index, book)
    return rows if partial is None else rows[: max(len(rows) - int(partial.params["drop"]), 0)]


def _skew(call: Call) -> timedelta:
    honest: datetime = call.account.market.clock.now()
    return call.now - honest if abs((call.now - honest).total_seconds()) > 0.5 else timedelta(0)
