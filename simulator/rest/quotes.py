"""quotes, multiquotes, depth, history, ticker, intervals."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from simulator.clock import IST
from simulator.depth import levels
from simulator.history import INTRADAY_MINUTES, candles
from simulator.instruments import Contract
from simulator.market import Quote
from simulator.rest.core import ApiError, Body, Call
from simulator.rest.strikes import not_found


def find(call: Call, exchange: str, symbol: str) -> tuple[Contract, Quote]:
    """Contract and the quote this account is shown. Raises ApiError 400."""
    quote = call.account.quote(exchange, symbol, call.endpoint)
    contract = call.account.market.find(exchange, symbol)
    if quote is None or contract is None:
        raise ApiError(not_found(symbol, exchange))
    return contract, quote


def quote_row(contract: Contract, q: Quote) -> Body:
    index = contract.kind == "INDEX"
    return {
        "ask": 0 if index else q.ask,
        "bid": 0 if index else q.bid,
        "high": q.high,
        "low": q.low,
        "ltp": q.ltp,
        "oi": q.oi,
        "open": q.open,
        "prev_close": q.prev_close,
        "volume": q.volume,
    }


def quotes(call: Call) -> Body:
    contract, quote = find(call, call.text("exchange"), call.text("symbol"))
    return {"data": quote_row(contract, quote), "status": "success"}


def multiquotes(call: Call) -> Body:
    failed: list[Body] = []
    found: list[Body] = []
    for item in call.fields["symbols"]:
        names = {"exchange": item["exchange"], "symbol": item["symbol"]}
        try:
            contract, quote = find(call, item["exchange"], item["symbol"])
        except ApiError as error:
            failed.append({"error": error.message, **names})
        else:
            found.append({"data": quote_row(contract, quote), **names})
    if not found:
        raise ApiError(failed[0]["error"], 400, invalid_symbols=failed)
    return {"results": failed + found, "status": "success"}


def depth(call: Call) -> Body:
    contract, q = find(call, call.text("exchange"), call.text("symbol"))
    row = quote_row(contract, q)
    del row["ask"], row["bid"]
    buy, sell = levels(contract, q)
    bids: list[dict[str, Any]] = [{"price": p, "quantity": n} for p, n, _ in buy]
    asks: list[dict[str, Any]] = [{"price": p, "quantity": n} for p, n, _ in sell]
    row.update(
        bids=bids,
        asks=asks,
        ltq=q.ltq,
        totalbuyqty=sum(n for _, n, _ in buy),
        totalsellqty=sum(n for _, n, _ in sell),
    )
    return {"data": row, "status": "success"}


def history(call: Call) -> Body:
    f = call.fields
    if f["source"] == "db":
        raise ApiError(
            f"No data found for {f['symbol']}:{f['exchange']} interval {f['interval']} in local database. "
            "Download data first using Historify.",
            404,
        )
    return {"data": _bars(call, f["exchange"], f["symbol"], f["interval"], f["start_date"], f["end_date"])}


def _bars(call: Call, exchange: str, symbol: str, interval: str, start: date, end: date) -> list[Body]:
    contract, quote = find(call, exchange, symbol)
    if interval != "D" and interval not in INTRADAY_MINUTES:
        raise ApiError(f"Error fetching historical data: Unsupported timeframe: {interval}", 500)
    market = call.account.market
    return candles(contract, quote, interval, start, end, market.clock.now(), market.always_open)


def history_with_status(call: Call) -> Body:
    return {**history(call), "status": "success"}


def ticker(call: Call) -> Body:
    # Without exactly one colon the server silently answers for NSE:RELIANCE.
    parts = (call.raw_text or "").split(":")
    exchange, symbol = parts if len(parts) == 2 else ("NSE", "RELIANCE")
    f = call.fields
    bars = _bars(call, exchange, symbol, f["interval"], f["from"], f["to"])
    if f["format"] == "txt":
        return {"_text": "".join(_line(exchange, symbol, f["interval"], bar) for bar in bars)}
    return {"data": bars, "status": "success"}


def _line(exchange: str, symbol: str, interval: str, bar: Body) -> str:
    at = datetime.fromtimestamp(bar["timestamp"], IST)
    when = f"{at:%Y-%m-%d}" if interval == "D" else f"{at:%Y-%m-%d},{at:%H:%M:%S}"
    prices = ",".join(str(bar[k]) for k in ("open", "high", "low", "close", "volume"))
    return f"{exchange}:{symbol},{when},{prices}\n"


def intervals(call: Call) -> Body:
    return {
        "data": {
            "days": ["D"],
            "hours": ["1h"],
            "minutes": [i for i in INTRADAY_MINUTES if i.endswith("m")],
            "months": [],
            "seconds": [],
            "weeks": [],
        },
        "status": "success",
    }
