"""The request schemas of all endpoints, fields in the order their errors are told."""

from __future__ import annotations

import re
from typing import Any

from simulator.rest.fields import (
    Bad,
    Schema,
    at_least_zero,
    boolean,
    integer_between,
    iso_date,
    items,
    may,
    need,
    number,
    number_between,
    one_of,
    quantity,
    quantity_or_zero,
    sized,
    text,
)

EXCHANGES = (
    "NSE",
    "NFO",
    "CDS",
    "BSE",
    "BFO",
    "BCD",
    "MCX",
    "NCDEX",
    "NCO",
    "NSE_INDEX",
    "BSE_INDEX",
    "MCX_INDEX",
    "GLOBAL_INDEX",
    "CRYPTO",
)
FO_EXCHANGES = ("NFO", "BFO", "MCX", "CDS", "NCO", "BCD", "NCDEX", "CRYPTO")
INTERVALS = (
    "1s",
    "5s",
    "10s",
    "15s",
    "30s",
    "45s",
    "1m",
    "2m",
    "3m",
    "5m",
    "10m",
    "15m",
    "20m",
    "30m",
    "1h",
    "2h",
    "3h",
    "4h",
    "D",
    "W",
    "M",
    "Q",
    "Y",
)
_OFFSET = re.compile(r"ATM|(ITM|OTM)([1-9]|[1-4]\d|50)")


def offset(value: Any) -> str:
    found = text(value).upper()
    if not _OFFSET.fullmatch(found):
        raise Bad("Offset must be ATM, ITM1-ITM50, or OTM1-OTM50")
    return found


KEY = need("apikey", sized(1, 256))
STRATEGY = need("strategy", text)
EXCHANGE = need("exchange", one_of(*EXCHANGES))
ANY_EXCHANGE = need("exchange", text)
SYMBOL = need("symbol", text)
ACTION = need("action", one_of("BUY", "SELL", "buy", "sell"))
OPTION_TYPE = need("option_type", one_of("CE", "PE", "ce", "pe"))
QUANTITY = need("quantity", quantity)
SPLIT = need("splitsize", integer_between(1, None, "Split size must be a positive integer."))
_PRICETYPE = one_of("MARKET", "LIMIT", "SL", "SL-M")
_PRODUCT = one_of("MIS", "NRML", "CNC")
_PRICE = at_least_zero("Price")
_TRIGGER = at_least_zero("Trigger price")
_DISCLOSED = integer_between(0, None, "Disclosed quantity must be a non-negative integer.")
TERMS = (
    may("pricetype", _PRICETYPE, "MARKET"),
    may("product", _PRODUCT, "MIS"),
    may("price", _PRICE, 0.0),
    may("trigger_price", _TRIGGER, 0.0),
    may("disclosed_quantity", _DISCLOSED, 0),
)
OPTION_TERMS = (
    may("pricetype", _PRICETYPE, "MARKET"),
    may("product", one_of("MIS", "NRML"), "MIS"),
    *TERMS[2:],
)
LTP_HINT = may("underlying_ltp", number, null=True)

KEY_ONLY = Schema(KEY)
PLACE = Schema(KEY, STRATEGY, EXCHANGE, SYMBOL, ACTION, QUANTITY, *TERMS, LTP_HINT)
SMART = Schema(
    KEY,
    STRATEGY,
    EXCHANGE,
    SYMBOL,
    ACTION,
    need("quantity", quantity_or_zero),
    need("position_size", number),
    *TERMS,
    LTP_HINT,
)
BASKET_ITEM = Schema(EXCHANGE, SYMBOL, ACTION, QUANTITY, *TERMS, LTP_HINT)
BASKET = Schema(KEY, STRATEGY, need("orders", items(BASKET_ITEM, 0, None)))
SPLIT_ORDER = Schema(KEY, STRATEGY, EXCHANGE, SYMBOL, ACTION, QUANTITY, SPLIT, *TERMS, LTP_HINT)
MODIFY = Schema(
    KEY,
    STRATEGY,
    EXCHANGE,
    SYMBOL,
    need("orderid", text),
    ACTION,
    need("product", _PRODUCT),
    need("pricetype", _PRICETYPE),
    need("price", _PRICE),
    QUANTITY,
    need("disclosed_quantity", _DISCLOSED),
    need("trigger_price", _TRIGGER),
)
ORDER_ID = Schema(KEY, STRATEGY, need("orderid", text))
STRATEGY_ONLY = Schema(KEY, STRATEGY)
OPEN_POSITION = Schema(KEY, STRATEGY, SYMBOL, ANY_EXCHANGE, need("product", _PRODUCT))
MARGIN_ITEM = Schema(
    need("symbol", sized(1, 50)),
    EXCHANGE,
    ACTION,
    need("quantity", text),
    need("product", _PRODUCT),
    need("pricetype", _PRICETYPE),
    may("price", text, "0"),
    may("trigger_price", text, "0"),
)
MARGIN = Schema(KEY, need("positions", items(MARGIN_ITEM, 1, 50, "Positions must contain 1 to 50 items.")))
TOGGLE = Schema(KEY, need("mode", boolean))

PAIR = Schema(EXCHANGE, SYMBOL)
QUOTES = Schema(KEY, SYMBOL, EXCHANGE)
MULTIQUOTES = Schema(KEY, need("symbols", items(PAIR, 1, None)))
HISTORY = Schema(
    KEY,
    SYMBOL,
    EXCHANGE,
    need("interval", one_of(*INTERVALS)),
    need("start_date", iso_date),
    need("end_date", iso_date),
    may("source", one_of("api", "db"), "api"),
)
TICKER = Schema(
    KEY,
    may("interval", one_of(*INTERVALS), "D"),
    need("from", iso_date),
    need("to", iso_date),
    may("format", one_of("json", "txt"), "json"),
    may("adjusted", text),
    may("sort", text),
)
SEARCH = Schema(KEY, need("query", text), may("exchange", one_of(*EXCHANGES)))
EXPIRY = Schema(KEY, SYMBOL, need("exchange", one_of(*FO_EXCHANGES)), need("instrumenttype", one_of("futures", "options")))
INSTRUMENTS = Schema(KEY, EXCHANGE, may("format", one_of("json", "csv"), "json"))

UNDERLYING = need("underlying", text)
_EXPIRY_DATE = may("expiry_date", text)
_STRIKE_INT = may("strike_int", integer_between(1, None), null=True)
OPTION_SYMBOL = Schema(
    KEY,
    UNDERLYING,
    EXCHANGE,
    need("offset", offset),
    OPTION_TYPE,
    _EXPIRY_DATE,
    _STRIKE_INT,
    may("strategy", text, null=True),
)
OPTION_CHAIN = Schema(
    KEY,
    UNDERLYING,
    EXCHANGE,
    need("expiry_date", text),
    may("strike_count", integer_between(1, 100), null=True),
    may("with_greeks", boolean, False),
    may("interest_rate", number_between(0, 100), null=True),
)
SYNTHETIC = Schema(KEY, UNDERLYING, EXCHANGE, need("expiry_date", text))
_UNITS = integer_between(1, None, "Quantity must be a positive integer.")
OPTIONS_ORDER = Schema(
    KEY,
    STRATEGY,
    UNDERLYING,
    EXCHANGE,
    need("offset", text),
    OPTION_TYPE,
    ACTION,
    need("quantity", _UNITS),
    _EXPIRY_DATE,
    _STRIKE_INT,
    may("splitsize", integer_between(0, None), 0, null=True),
    *OPTION_TERMS,
)
LEG = Schema(
    need("offset", text),
    OPTION_TYPE,
    ACTION,
    need("quantity", _UNITS),
    _EXPIRY_DATE,
    may("splitsize", integer_between(0, None), 0, null=True),
    *OPTION_TERMS,
)
OPTIONS_MULTI = Schema(
    KEY,
    STRATEGY,
    UNDERLYING,
    EXCHANGE,
    need("legs", items(LEG, 1, 20, "Legs must contain 1 to 20 items.")),
    _EXPIRY_DATE,
    _STRIKE_INT,
)
_GREEKS_TAIL = (
    may("interest_rate", number_between(0, 100)),
    may("forward_price", number),
    may("underlying_symbol", text),
    may("underlying_exchange", text),
    may("expiry_time", text),
)
GREEKS = Schema(KEY, SYMBOL, need("exchange", one_of(*FO_EXCHANGES)), *_GREEKS_TAIL)
GREEKS_ITEM = Schema(
    SYMBOL,
    need("exchange", one_of(*FO_EXCHANGES)),
    may("underlying_symbol", text),
    may("underlying_exchange", text),
)
MULTI_GREEKS = Schema(
    KEY,
    need("symbols", items(GREEKS_ITEM, 1, 50, "Length must be between 1 and 50.")),
    may("interest_rate", number_between(0, 100)),
    may("expiry_time", text),
)
HOLIDAYS = Schema(KEY, may("year", integer_between(2020, 2050)))
TIMINGS = Schema(KEY, need("date", text))

_GTT = (
    need("trigger_type", lambda v: one_of("SINGLE", "OCO")(text(v).upper())),
    EXCHANGE,
    SYMBOL,
    ACTION,
    need("product", one_of("NRML", "CNC")),
    QUANTITY,
    need("price", _PRICE),
    may("pricetype", one_of("LIMIT", "MARKET"), "LIMIT"),
    may("triggerprice_sl", _TRIGGER, 0.0),
    may("triggerprice_tg", _TRIGGER, 0.0),
    may("stoploss", _PRICE, null=True),
    may("target", _PRICE, null=True),
    may("expires_at", text, null=True),
)
PLACE_GTT = Schema(KEY, STRATEGY, *_GTT, drop_unknown=True)
MODIFY_GTT = Schema(KEY, STRATEGY, need("trigger_id", text), *_GTT, drop_unknown=True)
CANCEL_GTT = Schema(KEY, STRATEGY, need("trigger_id", text))
