"""Calls that place several orders: basket, split, options and multi-leg options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulator.orders import OrderRequest, Refused
from simulator.rest.core import ApiError, Body, Call
from simulator.rest.orders import accepted, queued, request_of, submit
from simulator.rest.strikes import pick, resolve

MAX_PIECES = 100


def basket(call: Call) -> Body:
    waiting = queued(call)
    if waiting is not None:
        return waiting
    orders = [request_of(item, call.text("strategy")) for item in call.fields["orders"]]
    ordered = [o for o in orders if o.action == "BUY"] + [o for o in orders if o.action != "BUY"]
    results = [_basket_item(call, order) for order in ordered]
    if call.account.analyze:
        for i, result in enumerate(results):
            if result["status"] == "success":
                result.update(batch_order=True, is_last_order=i == len(results) - 1)
    return {"results": results, "status": "success"}


def _basket_item(call: Call, order: OrderRequest) -> Body:
    try:
        orderid = submit(call, order)
    except Refused as refusal:
        return {"message": refusal.message, "status": "error", "symbol": order.symbol}
    return {
        "exchange": order.exchange,
        "product": order.product,
        "symbol": order.symbol,
        **accepted(call, orderid, order.symbol),
    }


def split(call: Call) -> Body:
    waiting = queued(call)
    if waiting is not None:
        return waiting
    request = request_of(call.fields, call.text("strategy"))
    return {**_split(call, request, int(call.fields["splitsize"])), "status": "success"}


def _split(call: Call, request: OrderRequest, size: int, results_key: str = "results") -> Body:
    sizes = [size] * (request.quantity // size)
    if request.quantity % size:
        sizes.append(request.quantity % size)
    if len(sizes) > MAX_PIECES:
        raise ApiError(f"Total number of orders would exceed maximum limit of {MAX_PIECES}")
    results: list[Body] = []
    for i, units in enumerate(sizes, 1):
        piece = OrderRequest(
            request.exchange,
            request.symbol,
            request.action,
            units,
            request.pricetype,
            request.product,
            request.price,
            request.trigger,
            request.strategy,
        )
        try:
            done = accepted(call, submit(call, piece), piece.symbol)
            results.append({"order_num": i, "quantity": units, **done})
        except Refused as refusal:
            results.append({"message": refusal.message, "order_num": i, "quantity": units, "status": "error"})
    return {results_key: results, "split_size": size, "total_quantity": request.quantity}


def options_order(call: Call) -> Body:
    f = call.fields
    chosen = resolve(call, f["underlying"], f["exchange"], f["expiry_date"])
    symbol = pick(chosen, f["offset"], f["option_type"], f["strike_int"])
    request = request_of(f, call.text("strategy"), exchange=symbol.exchange, symbol=symbol.symbol)
    told = {
        "exchange": symbol.exchange,
        "offset": f["offset"].upper(),
        "option_type": f["option_type"].upper(),
        "status": "success",
        "symbol": symbol.symbol,
        "underlying": chosen.name,
        "underlying_ltp": chosen.ltp,
    }
    if queued(call) is not None:
        return {**told, "orderid": None}
    if f["splitsize"]:
        return {**told, **_split(call, request, int(f["splitsize"]))}
    return {**told, **accepted(call, submit(call, request), symbol.symbol)}


def options_multi(call: Call) -> Body:
    f = call.fields
    waiting = queued(call)
    if waiting is not None:
        return waiting
    if any("splitsize" in leg and leg["splitsize"] is None for leg in f["legs"]):
        raise ApiError("An unexpected error occurred in the API endpoint", 500)
    legs = list(enumerate(f["legs"], 1))
    ordered = [x for x in legs if x[1]["action"].upper() == "BUY"]
    ordered += [x for x in legs if x[1]["action"].upper() != "BUY"]
    results = [_leg(call, number, leg) for number, leg in ordered]
    base = resolve(call, f["underlying"], f["exchange"], f["expiry_date"] or f["legs"][0]["expiry_date"])
    return {
        "results": sorted(results, key=lambda r: int(r["leg"])),
        "status": "success",
        "underlying": base.name,
        "underlying_ltp": base.ltp,
    }


def _leg(call: Call, number: int, leg: Mapping[str, Any]) -> Body:
    f = call.fields
    told: Body = {
        "action": leg["action"].upper(),
        "leg": number,
        "offset": leg["offset"].upper(),
        "option_type": leg["option_type"].upper(),
    }
    try:
        chosen = resolve(call, f["underlying"], f["exchange"], leg["expiry_date"] or f["expiry_date"])
        symbol = pick(chosen, leg["offset"], leg["option_type"], f["strike_int"])
        request = request_of(leg, call.text("strategy"), exchange=symbol.exchange, symbol=symbol.symbol)
        if leg["splitsize"]:
            pieces = _split(call, request, int(leg["splitsize"]), "split_results")
            good = any(r["status"] == "success" for r in pieces["split_results"])
            return {**told, **pieces, "status": "success" if good else "error", "symbol": symbol.symbol}
        done = accepted(call, submit(call, request), symbol.symbol)
    except (Refused, ApiError) as refusal:
        return {**told, "message": refusal.message, "status": "error"}
    mode = "analyze" if call.account.analyze else "live"
    return {
        **told,
        "exchange": symbol.exchange,
        "mode": mode,
        "product": request.product,
        "symbol": symbol.symbol,
        **done,
    }
