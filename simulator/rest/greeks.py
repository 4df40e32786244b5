"""optiongreeks and multioptiongreeks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any

from simulator.black76 import greeks
from simulator.clock import IST
from simulator.instruments import Contract
from simulator.market import Market
from simulator.rest.core import INVALID_KEY, ApiError, Body, Call
from simulator.rest.strikes import not_found

CUT_OFF = time(15, 30)
DAY_S = 86400.0
NO_PRICE = "Option LTP not available"


def refuse_greeks_key(call: Call) -> ApiError:
    return ApiError(INVALID_KEY, 401)


def years_left(market: Market, expiry: date, cut_off: str | None) -> float:
    """To the server's own cut-off (15:30 unless given), which is not the session's end."""
    at = time.fromisoformat(cut_off) if cut_off else CUT_OFF
    left = (datetime.combine(expiry, at, IST) - market.clock.now()).total_seconds()
    return max(left, 60.0) / (365.0 * DAY_S)


def optiongreeks(call: Call) -> Body:
    return _one(call, call.fields, call.fields)


def multioptiongreeks(call: Call) -> Body:
    results: list[Body] = []
    failures: list[str] = []
    for item in call.fields["symbols"]:
        try:
            results.append(_one(call, item, call.fields))
        except ApiError:
            failures.append(NO_PRICE)
            named = {k: item[k] for k in ("symbol", "exchange")}
            results.append({"message": NO_PRICE, "status": "error", **named})
    good = len(results) - len(failures)
    body: Body = {
        "data": results,
        "status": "success" if not failures else "partial" if good else "error",
        "summary": {"failed": len(failures), "success": good, "total": len(results)},
    }
    if failures:
        body["message"] = f"{len(failures)} option Greeks calculation(s) failed: {failures[0]}"
    return body


def _one(call: Call, item: Mapping[str, Any], common: Mapping[str, Any]) -> Body:
    symbol, exchange = item["symbol"], item["exchange"]
    if not re.search(r"\d(CE|PE)$", symbol):
        raise ApiError(
            f"Failed to get option Greeks: Failed to parse option symbol {symbol}: Invalid option symbol format: {symbol}",
            500,
        )
    market = call.account.market
    contract = market.find(exchange, symbol)
    quote = call.account.quote(exchange, symbol, "quotes")
    if contract is None or quote is None or contract.expiry is None:
        raise ApiError(f"Failed to fetch option price: {not_found(symbol, exchange)}", 400)
    years = years_left(market, contract.expiry, common.get("expiry_time"))
    rate = float(common.get("interest_rate") or 0.0)
    forward = float(common.get("forward_price") or 0.0) or _forward(market, contract)
    g = greeks(quote.ltp, forward, contract.strike, years, contract.kind == "CE", rate / 100.0)
    return {
        "days_to_expiry": round(years * 365.0, 4),
        "exchange": exchange,
        "expiry_date": f"{contract.expiry:%d-%b-%Y}",
        "greeks": {
            "delta": round(g.delta, 4),
            "gamma": round(g.gamma, 6),
            "rho": round(g.rho, 6),
            "theta": round(g.theta, 4),
            "vega": round(g.vega, 4),
        },
        "implied_volatility": round(g.vol * 100, 2),
        "interest_rate": rate if rate else 0,
        "option_price": quote.ltp,
        "option_type": contract.kind,
        "spot_price": round(forward, 2),
        "status": "success",
        "strike": contract.strike,
        "symbol": symbol,
        "underlying": contract.name,
    }


def _forward(market: Market, contract: Contract) -> float:
    assert contract.expiry is not None
    spot = market.spot(contract.name)
    strikes = market.listing.strikes(contract.name, contract.exchange, contract.expiry)
    atm = min(strikes, key=lambda strike: abs(strike - spot))
    stem = contract.symbol.removesuffix(f"{int(contract.strike)}{contract.kind}")
    ce = market.quote(contract.exchange, f"{stem}{int(atm)}CE")
    pe = market.quote(contract.exchange, f"{stem}{int(atm)}PE")
    return spot if ce is None or pe is None else round(atm + ce.ltp - pe.ltp, 2)
