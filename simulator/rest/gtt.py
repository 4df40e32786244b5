"""placegttorder, modifygttorder, cancelgttorder, gttorderbook."""

from __future__ import annotations

from datetime import timedelta

from simulator.gtt import Gtt
from simulator.orders import money
from simulator.rest.books import rupees
from simulator.rest.core import ApiError, Body, Call
from simulator.rest.strikes import not_found

LIFE = timedelta(days=365)


def place(call: Call) -> Body:
    broker = call.account.broker
    trigger_id = f"GTT-{call.now:%y%m%d}-{broker.rng.getrandbits(32):08x}"
    broker.gtts[trigger_id] = _built(call, trigger_id)
    broker.version += 1
    return {"status": "success", "trigger_id": trigger_id}


def modify(call: Call) -> Body:
    old = _active(call)
    replaced = _built(call, old.trigger_id)
    replaced.created_at = old.created_at
    call.account.broker.gtts[old.trigger_id] = replaced
    call.account.broker.version += 1
    return {"status": "success", "trigger_id": old.trigger_id}


def cancel(call: Call) -> Body:
    gtt = _active(call)
    gtt.status = "cancelled"
    call.account.broker.version += 1
    return {"status": "success", "trigger_id": gtt.trigger_id}


def book(call: Call) -> Body:
    return {"data": [_row(call, g) for g in call.account.broker.gtts.values() if g.is_active], "status": "success"}


def _active(call: Call) -> Gtt:
    trigger_id = call.text("trigger_id")
    gtt = call.account.broker.gtts.get(trigger_id)
    if gtt is None or not gtt.is_active:
        raise ApiError(f"No active GTT with trigger_id '{trigger_id}'", 404)
    return gtt


def _built(call: Call, trigger_id: str) -> Gtt:
    f = call.fields
    quote = call.account.market.quote(f["exchange"], f["symbol"])
    if quote is None:
        raise ApiError(not_found(f["symbol"], f["exchange"]))
    low, high = money(float(f["triggerprice_sl"])), money(float(f["triggerprice_tg"]))
    single = f["trigger_type"] == "SINGLE"
    if single and low:
        # Both given: the lower one wins silently.
        high = money(0)
    if not (low or high):
        raise ApiError("A trigger price is required")
    if not single and not (low and high and low < high and f["stoploss"] and f["target"]):
        raise ApiError("OCO needs triggerprice_sl < triggerprice_tg, stoploss and target")
    return Gtt(
        trigger_id=trigger_id,
        strategy=f["strategy"],
        trigger_type=f["trigger_type"],
        exchange=f["exchange"],
        symbol=f["symbol"],
        action=f["action"].upper(),
        product=f["product"],
        quantity=f["quantity"],
        pricetype=f["pricetype"],
        price=money(float(f["price"])),
        trigger_low=low,
        trigger_high=high,
        stoploss=money(float(f["stoploss"] or 0)),
        target=money(float(f["target"] or 0)),
        last_price=money(quote.ltp),
        created_at=call.now,
        updated_at=call.now,
        expires_at=call.now + LIFE,
    )


def _row(call: Call, gtt: Gtt) -> Body:
    legs = [
        {
            "action": gtt.action,
            "price": rupees(price),
            "pricetype": gtt.pricetype,
            "product": gtt.product,
            "quantity": gtt.quantity,
        }
        for price in gtt.limits()
    ]
    row: Body = {
        "created_at": f"{gtt.created_at:%Y-%m-%dT%H:%M:%S}",
        "exchange": gtt.exchange,
        "expires_at": f"{gtt.expires_at:%Y-%m-%dT%H:%M:%S.%f}",
        "last_price": rupees(gtt.last_price),
        "legs": legs,
        "status": gtt.status,
        "symbol": gtt.symbol,
        "trigger_id": gtt.trigger_id,
        "trigger_prices": [rupees(t) for t in gtt.triggers],
        "trigger_type": "single" if gtt.trigger_type == "SINGLE" else "two-leg",
        "updated_at": f"{gtt.updated_at:%Y-%m-%dT%H:%M:%S}",
    }
    if call.account.analyze:
        row.update(margin_blocked=max(rupees(p * gtt.quantity) for p in gtt.limits()), strategy=gtt.strategy)
    return row
