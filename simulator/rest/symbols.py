"""symbol, search, expiry, instruments."""

from __future__ import annotations

from simulator.instruments import Contract, dashed
from simulator.rest.core import ApiError, Body, Call

MOST_FOUND = 500
CSV_COLUMNS = "symbol,brsymbol,name,exchange,brexchange,token,expiry,strike,lotsize,instrumenttype,tick_size"


def _listed(contract: Contract, number: int) -> Body:
    """The eleven columns of the instrument list; `number` is the 1-based row."""
    return {
        "brexchange": contract.exchange,
        "brsymbol": contract.symbol,
        "exchange": contract.exchange,
        "expiry": dashed(contract.expiry),
        "instrumenttype": contract.kind,
        "lotsize": contract.lot,
        "name": contract.name,
        "strike": contract.strike,
        "symbol": contract.symbol,
        "tick_size": contract.tick,
        "token": str(100_000 + number),
    }


def _known(contract: Contract, number: int) -> Body:
    return {**_listed(contract, number), "freeze_qty": contract.listed_freeze}


def symbol(call: Call) -> Body:
    listing = call.account.market.listing
    place = listing.by_key.get((call.text("exchange"), call.text("symbol")))
    if place is None:
        raise ApiError(f"Symbol {call.text('symbol')} not found in exchange {call.text('exchange')}", 404)
    return {"data": {**_known(listing.contracts[place], place + 1), "id": place + 1}, "status": "success"}


def search(call: Call) -> Body:
    terms = call.text("query").upper().split()
    if not terms:
        raise ApiError("Query parameter is required and cannot be empty")
    exchange = call.fields["exchange"]
    rows: list[tuple[tuple[bool, bool, str], Body]] = []
    for number, c in enumerate(call.account.market.listing.contracts, 1):
        if exchange is not None and c.exchange != exchange:
            continue
        if all(term in c.symbol or term == c.kind for term in terms):
            rank = (c.symbol != terms[0], c.kind != "FUT", c.symbol)
            rows.append((rank, _known(c, number)))
    found = [row for _, row in sorted(rows, key=lambda pair: pair[0])][:MOST_FOUND]
    told = f"Found {len(found)} matching symbols" if found else "No matching symbols found"
    return {"data": found, "message": told, "status": "success"}


def expiry(call: Call) -> Body:
    name, exchange, kind = call.text("symbol").upper(), call.text("exchange"), call.text("instrumenttype")
    days = call.account.market.listing.expiries(name, exchange, kind == "options")
    subject = f"expiry dates for {name} {kind} in {exchange}"
    told = f"Found {len(days)} {subject}" if days else f"No {subject.replace('expiry dates', 'expiry dates found')}"
    return {"data": [dashed(day) for day in days], "message": told, "status": "success"}


def instruments(call: Call) -> Body:
    exchange = call.text("exchange")
    rows = [_listed(c, n) for n, c in enumerate(call.account.market.listing.contracts, 1) if c.exchange == exchange]
    if call.fields["format"] == "csv":
        columns = CSV_COLUMNS.split(",")
        lines = [CSV_COLUMNS] + [",".join(str(row[column]) for column in columns) for row in rows]
        return {"_csv": "\r\n".join(lines) + "\r\n"}
    return {"data": rows, "message": f"Found {len(rows)} instruments", "status": "success"}
