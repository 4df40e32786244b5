"""placeorder, placesmartorder, modify, cancel, cancel all, close all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.orders import OPEN, TRIGGER_PENDING, OrderRequest, Refused, money
from simulator.rest.core import ApiError, Body, Call

MATCHED = "Positions Already Matched. No Action needed."
NOTHING_OPEN = "No OpenPosition Found. Not placing Exit order."
QUEUED = "Order queued for approval in Action Center"
LIVE_CANCELLABLE = frozenset({OPEN, TRIGGER_PENDING, "open pending"})


def request_of(fields: Mapping[str, Any], strategy: str, **changes: Any) -> OrderRequest:
    """The broker's request for one order-shaped set of fields."""
    values = {**fields, **changes}
    return OrderRequest(
        exchange=values["exchange"],
        symbol=values["symbol"],
        action=values["action"].upper(),
        quantity=int(values["quantity"]),
        pricetype=values["pricetype"],
        product=values["product"],
        price=money(float(values["price"])),
        trigger=money(float(values["trigger_price"])),
        strategy=strategy,
    )


def submit(call: Call, request: OrderRequest) -> str:
    """Place one order with whatever the fault board adds. Raises Refused."""
    account = call.account
    refusal = account.faults.hit("refuse", account.index, call.endpoint, request.symbol)
    if refusal is not None:
        raise Refused(str(refusal.params["message"]), int(refusal.params["status"]))
    return account.broker.place(request, account.tweaks(call.endpoint, request.symbol))


def queued(call: Call) -> Body | None:
    """The semi-auto reply when orders wait for a human, else None."""
    account = call.account
    symbol = str(call.fields.get("symbol", ""))
    fault = account.faults.hit("semi_auto_queue", account.index, call.endpoint, symbol)
    if fault is None and not account.options.semi_auto:
        return None
    account.queued += 1
    return {"message": QUEUED, "mode": "semi_auto", "pending_order_id": account.queued, "status": "success"}


def accepted(call: Call, orderid: str, symbol: str = "") -> Body:
    """The success reply, unless a fault loses the id."""
    lost = call.account.faults.hit("no_order_id", call.account.index, call.endpoint, symbol)
    if lost is None:
        return {"orderid": orderid, "status": "success"}
    return {"orderid": None, "status": "success"} if lost.params["null"] else {"status": "success"}


def place(call: Call) -> Body:
    waiting = queued(call)
    if waiting is not None:
        return waiting
    request = request_of(call.fields, call.text("strategy"))
    return accepted(call, submit(call, request), request.symbol)


def place_smart(call: Call) -> Body:
    waiting = queued(call)
    if waiting is not None:
        return waiting
    f = call.fields
    account = call.account
    held = account.broker.position_quantity(f["exchange"], f["symbol"], f["product"])
    target = int(f["position_size"])
    if held == target and (target or not f["quantity"] or held):
        return _nothing_to_do(call)
    if held == 0 and target == 0:
        request = request_of(f, call.text("strategy"))
    else:
        move = target - held
        side = "BUY" if move > 0 else "SELL"
        request = request_of(f, call.text("strategy"), action=side, quantity=abs(move))
    if account.analyze:
        # The sandbox always executes smart orders at market.
        request = request_of(
            {**f, "pricetype": "MARKET"}, call.text("strategy"), action=request.action, quantity=request.quantity
        )
    return accepted(call, submit(call, request), request.symbol)


def _nothing_to_do(call: Call) -> Body:
    if call.fields["quantity"]:
        return {"message": MATCHED, "status": "success"}
    if not call.account.analyze:
        raise ApiError(NOTHING_OPEN, 500)
    return {"message": NOTHING_OPEN, "status": "success"}


def refuse(call: Call) -> None:
    """The broker's plain no to a change or a cancel, where a fault asks for it."""
    account = call.account
    refusal = account.faults.hit("refuse", account.index, call.endpoint, str(call.fields.get("symbol", "")))
    if refusal is not None:
        raise Refused(str(refusal.params["message"]), int(refusal.params["status"]))


def modify(call: Call) -> Body:
    refuse(call)
    account, orderid = call.account, call.text("orderid")
    # Success does not mean applied: some brokers answer before they look, and then drop it.
    if account.faults.hit("modify_ignored", account.index, call.endpoint, call.text("symbol")) is None:
        account.broker.modify(orderid, request_of(call.fields, call.text("strategy")))
    new_id = account.faults.hit("modify_renames", account.index, call.endpoint, call.text("symbol"))
    if new_id is not None:
        orderid = account.broker.rename(orderid)
    return _done(call, orderid, "Order modified successfully")


def cancel(call: Call) -> Body:
    refuse(call)
    call.account.broker.cancel(call.text("orderid"))
    return _done(call, call.text("orderid"), "Order cancelled successfully")


def _done(call: Call, orderid: str, told: str) -> Body:
    body: Body = {"orderid": orderid, "status": "success"}
    if call.account.analyze:
        body["message"] = told
    return body


def cancel_all(call: Call) -> Body:
    account = call.account
    if not account.analyze:
        done, failed = account.broker.cancel_all(LIVE_CANCELLABLE)
        return _cancelled(done, [orderid for orderid, _ in failed])
    # Stop orders stay: the server compares with a spelling its own book never has.
    if not [o for o in account.broker.visible_orders() if o.status == OPEN]:
        return {
            "canceled_orders": [],
            "failed_cancellations": [],
            "message": "No open orders to cancel",
            "status": "success",
        }
    done, failed = account.broker.cancel_all(frozenset({OPEN}))
    return _cancelled(done, [{"orderid": i, "message": why} for i, why in failed])


def _cancelled(done: list[str], failed: list[Any]) -> Body:
    return {
        "canceled_orders": done,
        "failed_cancellations": failed,
        "message": f"Canceled {len(done)} orders. Failed to cancel {len(failed)} orders.",
        "status": "success",
    }


def close_all(call: Call) -> Body:
    account = call.account
    if not account.analyze:
        account.broker.close_all()
        return {"message": "All Open Positions Squared Off", "status": "success"}
    if not account.broker.open_positions():
        return {"message": "No open positions to close", "status": "success"}
    closed, failed = account.broker.close_all()
    return {
        "closed_positions": closed,
        "failed_closures": failed,
        "message": f"Closed {closed} positions",
        "status": "success",
    }
