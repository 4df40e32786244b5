"""optionsymbol, optionchain, syntheticfuture."""

from __future__ import annotations

from simulator.black76 import greeks
from simulator.depth import levels
from simulator.instruments import Contract
from simulator.rest.core import INVALID_KEY, ApiError, Body, Call
from simulator.rest.greeks import years_left
from simulator.rest.quotes import find
from simulator.rest.strikes import Resolved, pick, require_strikes, resolve
from simulator.sessions import expiry_moment


def refuse_symbol_key(call: Call) -> ApiError:
    return ApiError(f"Failed to fetch LTP for {call.fields['underlying']}. {INVALID_KEY}", 403)


def refuse_chain_key(call: Call) -> ApiError:
    return ApiError(f"Failed to fetch LTP for {call.fields['underlying']}: {INVALID_KEY}", 403)


def optionsymbol(call: Call) -> Body:
    f = call.fields
    chosen = resolve(call, f["underlying"], f["exchange"], f["expiry_date"])
    contract = pick(chosen, f["offset"], f["option_type"], f["strike_int"])
    return {
        "status": "success",
        "symbol": contract.symbol,
        "exchange": contract.exchange,
        "lotsize": contract.lot,
        "tick_size": contract.tick,
        "freeze_qty": contract.listed_freeze,
        "underlying_ltp": chosen.ltp,
    }


def _synthetic(call: Call, chosen: Resolved) -> float:
    """Forward from put-call parity at the money."""
    strike = chosen.atm
    call_leg, put_leg = chosen.contract(strike, "CE"), chosen.contract(strike, "PE")
    if call_leg is None or put_leg is None:
        raise ApiError("No valid option symbols found for the given parameters", 404)
    ce = find(call, call_leg.exchange, call_leg.symbol)[1].ltp
    pe = find(call, put_leg.exchange, put_leg.symbol)[1].ltp
    return round(strike + ce - pe, 2)


def syntheticfuture(call: Call) -> Body:
    f = call.fields
    chosen = resolve(call, f["underlying"], f["exchange"], f["expiry_date"])
    require_strikes(chosen)
    return {
        "atm_strike": chosen.atm,
        "expiry": chosen.expiry_text,
        "status": "success",
        "synthetic_future_price": _synthetic(call, chosen),
        "underlying": chosen.name,
        "underlying_ltp": chosen.ltp,
    }


def optionchain(call: Call) -> Body:
    f = call.fields
    chosen = resolve(call, f["underlying"], f["exchange"], f["expiry_date"], embedded_wins=True, separator=":")
    strikes = require_strikes(chosen)
    atm = chosen.atm
    middle, reach = strikes.index(atm), f["strike_count"] or len(strikes)
    shown = strikes[max(middle - reach, 0) : middle + reach + 1]
    if chosen.contract(atm, "CE") is None:
        # Strikes are found in any case of the expiry, symbols only in capitals.
        raise ApiError("No valid option symbols found for the given parameters", 404)
    forward = _synthetic(call, chosen) if f["with_greeks"] else None
    rows = [_row(call, chosen, strike, strikes.index(strike) - middle, forward) for strike in shown]
    expires = expiry_moment(chosen.expiry) if chosen.expiry is not None else call.now
    return {
        "status": "success",
        "underlying": chosen.name,
        "underlying_symbol": chosen.name,
        "underlying_exchange": chosen.spot_exchange,
        "underlying_ltp": chosen.ltp,
        "underlying_prev_close": chosen.prev_close,
        "expiry_date": chosen.expiry_text,
        "expiry_ts": int(expires.timestamp()),
        "server_ts": int(call.now.timestamp()),
        "atm_strike": atm,
        "quotes_included": True,
        "greeks_included": f["with_greeks"],
        "forward_price": forward,
        "chain": rows,
    }


def _row(call: Call, chosen: Resolved, strike: float, steps: int, forward: float | None) -> Body:
    return {
        "strike": strike,
        "ce": _leg(call, chosen.contract(strike, "CE"), -steps, forward),
        "pe": _leg(call, chosen.contract(strike, "PE"), steps, forward),
    }


def _leg(call: Call, contract: Contract | None, in_money: int, forward: float | None) -> Body | None:
    if contract is None:
        return None
    q = find(call, contract.exchange, contract.symbol)[1]
    buy, sell = levels(contract, q)
    label = "ATM" if in_money == 0 else f"ITM{in_money}" if in_money > 0 else f"OTM{-in_money}"
    leg: Body = {
        "symbol": contract.symbol,
        "label": label,
        "ltp": q.ltp,
        "bid": q.bid,
        "ask": q.ask,
        "bid_qty": buy[0][1],
        "ask_qty": sell[0][1],
        "open": q.open,
        "high": q.high,
        "low": q.low,
        "prev_close": q.prev_close,
        "volume": q.volume,
        "oi": q.oi,
        "lotsize": contract.lot,
        "tick_size": contract.tick,
    }
    if forward is not None and contract.expiry is not None and q.ltp > 0:
        years = years_left(call.account.market, contract.expiry, None)
        rate = float(call.fields["interest_rate"] or 0) / 100.0
        g = greeks(q.ltp, forward, contract.strike, years, contract.kind == "CE", rate)
        leg.update(
            implied_volatility=round(g.vol * 100, 2),
            delta=round(g.delta, 4),
            gamma=round(g.gamma, 6),
            theta=round(g.theta, 4),
            vega=round(g.vega, 4),
        )
    return leg
