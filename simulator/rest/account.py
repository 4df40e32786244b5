"""ping, funds, margin, analyzer."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from simulator.clock import stamp
from simulator.margins import Need, need
from simulator.orders import money
from simulator.rest.books import rupees
from simulator.rest.core import ApiError, Body, Call

MOST = Decimal(10) ** 12


def ping(call: Call) -> Body:
    return {"data": {"broker": call.account.broker_name, "message": "pong"}, "status": "success"}


def funds(call: Call) -> Body:
    account = call.account
    if account.faults.hit("empty_funds", account.index, "funds") is not None:
        return {"data": {}, "status": "success"}
    account.broker.settle()
    f = account.broker.funds()
    if not account.analyze:
        shown = {
            "availablecash": f["available"],
            "collateral": f["collateral"],
            "m2mrealized": f["realised_today"],
            "m2munrealized": f["unrealised"],
            "utiliseddebits": f["used"],
        }
        return {"data": {k: f"{v:.2f}" for k, v in shown.items()}, "status": "success"}
    used, unrealised, today = rupees(f["used"]), f["unrealised"], f["realised_today"]
    return {
        "data": {
            "availablecash": rupees(f["available"]),
            "collateral": rupees(f["collateral"]),
            "grossexposure": used,
            "last_reset": stamp(account.broker.started_at),
            "m2mrealized": rupees(today),
            "m2munrealized": rupees(unrealised),
            "reset_count": 0,
            "today_realized_pnl": rupees(today),
            "total_realized_pnl": rupees(f["realised_total"]),
            "totalpnl": rupees(f["realised_total"] + unrealised),
            "utiliseddebits": used,
        },
        "status": "success",
    }


def margin(call: Call) -> Body:
    market = call.account.market
    total: Need | None = None
    for i, item in enumerate(call.fields["positions"], 1):
        contract = market.find(item["exchange"], item["symbol"])
        if contract is None:
            continue
        quantity, price = _number(i, "quantity", item["quantity"]), _number(i, "price", item["price"])
        quote = market.quote(item["exchange"], item["symbol"])
        price = price or money(quote.ltp if quote is not None else 0.0)
        signed = int(quantity) if item["action"].upper() == "BUY" else -int(quantity)
        one = need(market, contract, signed, price, item["product"])
        total = one if total is None else total + one
    if total is None:
        raise ApiError("No valid positions to calculate margin. Check if symbols are valid.")
    return {
        "data": {
            "exposure_margin": rupees(total.exposure),
            "span_margin": rupees(total.span),
            "total_margin_required": rupees(total.total),
        },
        "status": "success",
    }


def _number(position: int, name: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not 0 <= value < MOST:
        raise ApiError(f"Position {position}: {name} is not a usable number")
    return value


def analyzer(call: Call) -> Body:
    return {"data": _switch(call), "status": "success"}


def toggle(call: Call) -> Body:
    call.account.analyze = bool(call.fields["mode"])
    switch = _switch(call)
    return {"data": {**switch, "message": f"Analyzer mode switched to {switch['mode']}"}, "status": "success"}


def _switch(call: Call) -> Body:
    on = call.account.analyze
    return {"analyze_mode": on, "mode": "analyze" if on else "live", "total_logs": call.account.calls}
