"""Which path is answered by whom, and in which manner."""

from __future__ import annotations

from dataclasses import replace

from simulator.rest import account, books, calendar, greeks, gtt, multi, options, orders, quotes, schemas, symbols
from simulator.rest.core import ApiError, Call, Endpoint, Handler
from simulator.rest.fields import Schema

IN_ENDPOINT = "An unexpected error occurred in the API endpoint"


def _order(handler: Handler, schema: Schema) -> Endpoint:
    """An order call: errors as text, mode in every reply, bare 500 on a wrong content type."""
    return Endpoint(handler, schema, "repr", marked=True, mode_in_errors=True, unexpected=None)


def _data(handler: Handler, schema: Schema) -> Endpoint:
    return Endpoint(handler, schema, "object")


def _book(handler: Handler) -> Endpoint:
    return Endpoint(handler, schemas.KEY_ONLY, "object", marked=True)


def _option(handler: Handler, schema: Schema) -> Endpoint:
    return Endpoint(handler, schema, "error", sort=False)


def _no_module(call: Call) -> ApiError:
    return ApiError("Broker-specific module not found", 404)


ENDPOINTS: dict[str, Endpoint] = {
    "ping": _data(account.ping, schemas.KEY_ONLY),
    "funds": _book(account.funds),
    "margin": replace(_order(account.margin, schemas.MARGIN), marked=False, mode_in_errors=False, unexpected=IN_ENDPOINT),
    "placeorder": replace(_order(orders.place, schemas.PLACE), limit="order", mode_in_errors=False, unexpected=IN_ENDPOINT),
    "placesmartorder": replace(_order(orders.place_smart, schemas.SMART), limit="smart"),
    "basketorder": _order(multi.basket, schemas.BASKET),
    "splitorder": _order(multi.split, schemas.SPLIT_ORDER),
    "optionsorder": replace(
        _option(multi.options_order, schemas.OPTIONS_ORDER),
        limit="order",
        marked=True,
        sort=True,
        unexpected=IN_ENDPOINT,
        key_error=options.refuse_symbol_key,
    ),
    "optionsmultiorder": replace(
        _option(multi.options_multi, schemas.OPTIONS_MULTI),
        limit="order",
        marked=True,
        sort=True,
        unexpected=IN_ENDPOINT,
    ),
    "modifyorder": replace(_order(orders.modify, schemas.MODIFY), limit="order"),
    "cancelorder": replace(_order(orders.cancel, schemas.ORDER_ID), limit="order"),
    "cancelallorder": _order(orders.cancel_all, schemas.STRATEGY_ONLY),
    "closeposition": _order(orders.close_all, schemas.STRATEGY_ONLY),
    "openposition": _order(books.openposition, schemas.OPEN_POSITION),
    "orderstatus": _order(books.orderstatus, schemas.ORDER_ID),
    "orderbook": _book(books.orderbook),
    "tradebook": _book(books.tradebook),
    "positionbook": _book(books.positionbook),
    "holdings": _book(books.holdings),
    "pnl/symbols": _book(books.pnl_symbols),
    "quotes": _data(quotes.quotes, schemas.QUOTES),
    "multiquotes": _data(quotes.multiquotes, schemas.MULTIQUOTES),
    "depth": replace(_data(quotes.depth, schemas.QUOTES), key_error=_no_module),
    "history": _data(quotes.history_with_status, schemas.HISTORY),
    "ticker": replace(_data(quotes.ticker, schemas.TICKER), method="GET"),
    "intervals": _data(quotes.intervals, schemas.KEY_ONLY),
    "symbol": _data(symbols.symbol, schemas.QUOTES),
    "search": _data(symbols.search, schemas.SEARCH),
    "expiry": _data(symbols.expiry, schemas.EXPIRY),
    "instruments": replace(_data(symbols.instruments, schemas.INSTRUMENTS), method="GET"),
    "optionsymbol": replace(_option(options.optionsymbol, schemas.OPTION_SYMBOL), key_error=options.refuse_symbol_key),
    "optionchain": replace(_option(options.optionchain, schemas.OPTION_CHAIN), key_error=options.refuse_chain_key),
    "syntheticfuture": replace(
        _option(options.syntheticfuture, schemas.SYNTHETIC), sort=True, key_error=options.refuse_symbol_key
    ),
    "optiongreeks": Endpoint(greeks.optiongreeks, schemas.GREEKS, "failed", limit="greeks", key_error=greeks.refuse_greeks_key),
    "multioptiongreeks": Endpoint(greeks.multioptiongreeks, schemas.MULTI_GREEKS, "failed", key_error=greeks.refuse_greeks_key),
    "analyzer": replace(_order(account.analyzer, schemas.KEY_ONLY), marked=False, mode_in_errors=False),
    "analyzer/toggle": replace(_order(account.toggle, schemas.TOGGLE), marked=False, mode_in_errors=False),
    "market/holidays": replace(_data(calendar.holidays, schemas.HOLIDAYS), key_error=None),
    "market/timings": replace(_data(calendar.timings, schemas.TIMINGS), key_error=None),
    "placegttorder": replace(_order(gtt.place, schemas.PLACE_GTT), limit="order"),
    "modifygttorder": replace(_order(gtt.modify, schemas.MODIFY_GTT), limit="order"),
    "cancelgttorder": replace(_order(gtt.cancel, schemas.CANCEL_GTT), limit="order"),
    "gttorderbook": _book(gtt.book),
}
