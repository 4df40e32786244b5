"""From a reply body to typed rows, or to a typed failure. Total: nothing here raises, nothing invents a number.

A book with one row that cannot be understood is no book: partial is not complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Literal, TypeVar

from accounts.gateway.classify import KEY_REFUSED, clean_id, message_of
from accounts.gateway.reports import (
    ENDING,
    BasketMargin,
    BookHolding,
    BookOrder,
    BookPosition,
    BookTrade,
    Failed,
    Funds,
    Holdings,
    NoReply,
    RawReply,
    RestQuote,
    Why,
)
from accounts.gateway.words import word_of
from algomirror.kernel.money import parse_decimal

T = TypeVar("T")
Row = dict[str, Any]
Mode = Literal["LIVE", "PAPER"]

# Far beyond any rupee amount or quantity of ours; keeps absurd exponents from becoming absurd integers.
_SANE = Decimal(10) ** 15
# What columns hold of one instrument: a row beyond it could be kept by SQLite and never be read again.
_HIGHEST_PRICE, _MOST_UNITS = Decimal(10) ** 8, 2**31
_SIDES: dict[str, Literal["BUY", "SELL"]] = {"BUY": "BUY", "B": "BUY", "SELL": "SELL", "S": "SELL"}


def failure(outcome: RawReply | NoReply) -> Failed | None:
    """Why this reply answers nothing; None when it may be parsed."""
    if isinstance(outcome, NoReply):
        return _silence(outcome)
    status, text = outcome.http_status, message_of(outcome.body)
    if status == 429:
        return Failed(Why.THROTTLED, text or "too many requests", status)
    if status in (401, 403) and text == KEY_REFUSED:
        return Failed(Why.KEY_REFUSED, text, status)
    if 300 <= status < 400:
        return Failed(Why.REFUSED, f"the server redirects: use https ({outcome.text})"[:300], status)
    if status >= 500:
        return Failed(Why.SERVER_ERROR, text or f"HTTP {status}", status)
    if status >= 400:
        return Failed(Why.REFUSED, text or outcome.text[:200] or f"HTTP {status}", status)
    if status != 200 or outcome.body is None:
        return Failed(Why.UNREADABLE, f"HTTP {status} without readable JSON", status)
    return None


def _silence(outcome: NoReply) -> Failed:
    if outcome.over_budget:
        return Failed(Why.BUDGET, outcome.text)
    why = Why.TIMEOUT if outcome.reached and outcome.timed_out else Why.UNREACHABLE
    return Failed(why, outcome.text)


def mode_of(body: Any) -> Mode:
    """The world a book or funds reply speaks of: the server marks paper and leaves live unmarked."""
    said = body.get("mode") if isinstance(body, dict) else None
    return "PAPER" if isinstance(said, str) and said.lower().startswith("analy") else "LIVE"


def unreadable(what: str) -> Failed:
    return Failed(Why.UNREADABLE, f"not understood: {what}"[:300], 200)


def payload(body: Any, key: str = "data") -> Any | Failed:
    """What stands under `key` of a reply that says success."""
    if not isinstance(body, dict):
        return unreadable("the reply is no object")
    if body.get("status") != "success":
        return Failed(Why.REFUSED, message_of(body) or "the server did not say success", 200)
    if body.get(key) is None:
        return unreadable(f"'{key}' is missing")
    return body[key]


def rows_of(found: Any | Failed, read_row: Callable[[Row], T | None], what: str) -> list[T] | Failed:
    """All rows or a failure."""
    if isinstance(found, Failed):
        return found
    if not isinstance(found, list):
        return unreadable(f"{what} is no list")
    rows: list[T] = []
    for number, raw in enumerate(found, start=1):
        row = read_row(raw) if isinstance(raw, dict) else None
        if row is None:
            return unreadable(f"row {number} of {what}")
        rows.append(row)
    return rows


def order_book(body: Any) -> list[BookOrder] | Failed:
    found = payload(body)
    if isinstance(found, Failed):
        return found
    if not isinstance(found, dict) or "orders" not in found:
        return unreadable("'orders' is missing")
    rows = rows_of(found["orders"], _order, "the order book")
    return rows if isinstance(rows, Failed) else _one_each(rows)


def _one_each(rows: Iterable[BookOrder]) -> list[BookOrder]:
    """Some brokers list an order once for each of its states: what ended does not work any more, wherever that row stands.
    Otherwise the last row counts."""
    found: dict[str, BookOrder] = {}
    for row in rows:
        before = found.get(row.broker_order_id)
        if before is None or before.word not in ENDING or row.word in ENDING:
            found[row.broker_order_id] = row
    return list(found.values())


def trade_book(body: Any) -> list[BookTrade] | Failed:
    found = rows_of(payload(body), _trade, "the trade book")
    # A trade of nothing says nothing; some brokers list them.
    return found if isinstance(found, Failed) else [t for t in found if t.units > 0]


def position_book(body: Any) -> list[BookPosition] | Failed:
    return rows_of(payload(body), _position, "the position book")


def holdings(body: Any) -> Holdings | Failed:
    found = payload(body)
    if isinstance(found, Failed):
        return found
    if not isinstance(found, dict) or "holdings" not in found:
        return unreadable("'holdings' is missing")
    rows = rows_of(found["holdings"], _holding, "the holdings")
    if isinstance(rows, Failed):
        return rows
    said = found.get("statistics")
    totals: Row = said if isinstance(said, dict) else {}
    return Holdings(
        rows=rows,
        value=number(totals.get("totalholdingvalue")),
        invested=number(totals.get("totalinvvalue")),
        pnl=number(totals.get("totalprofitandloss")),
        pnl_percent=number(totals.get("totalpnlpercentage")),
    )


def funds(body: Any) -> Funds | Failed:
    found = payload(body)
    if isinstance(found, Failed):
        return found
    if not isinstance(found, dict):
        return unreadable("funds are no object")
    if "availablecash" not in found:
        return Failed(Why.NO_SESSION, "no funds in the answer: the broker session has probably ended, log in again", 200)
    cash = number(found["availablecash"])
    if cash is None:
        return unreadable("available cash")
    return Funds(
        available_cash=cash,
        collateral=number(found.get("collateral")),
        used=number(found.get("utiliseddebits")),
        realised=number(found.get("m2mrealized")),
        unrealised=number(found.get("m2munrealized")),
    )


def basket_margin(body: Any) -> BasketMargin | Failed:
    """The total must be there and not negative; 0 for a basket that blocks something is the caller's to doubt."""
    found = payload(body)
    if isinstance(found, Failed):
        return found
    total = number(found.get("total_margin_required")) if isinstance(found, dict) else None
    if total is None or total < 0:
        return unreadable("the basket's margin")
    return BasketMargin(total, number(found.get("span_margin")), number(found.get("exposure_margin")))


def quotes(body: Any) -> list[RestQuote] | Failed:
    """The usable quotes; entries with an error or without a price above 0 are left out."""
    found = payload(body, "results")
    if isinstance(found, Failed):
        return found
    if not isinstance(found, list):
        return unreadable("quotes are no list")
    return list(_each(found, _quote))


def _each(found: Iterable[Any], read_row: Callable[[Row], T | None]) -> Iterable[T]:
    for raw in found:
        row = read_row(raw) if isinstance(raw, dict) else None
        if row is not None:
            yield row


def number(value: object) -> Decimal | None:
    found = parse_decimal(value) if not isinstance(value, int) or abs(value) < _SANE else None
    return found if found is not None and abs(found) < _SANE else None


def whole(value: object) -> int | None:
    """None when it is no whole number."""
    found = number(value)
    return int(found) if found is not None and found == found.to_integral_value() else None


def signed_units(value: object) -> int | None:
    found = whole(value)
    return found if found is not None and abs(found) < _MOST_UNITS else None


def price(value: object) -> Decimal | None:
    """A price above 0, or None: 0 is not a price."""
    found = asked_price(value)
    return found if found is not None and found > 0 else None


def asked_price(value: object) -> Decimal | None:
    """As an order names it, 0 where it has none."""
    found = number(value)
    return found if found is not None and abs(found) < _HIGHEST_PRICE else None


def words(row: Row, *names: str) -> str:
    """The first of `names` that holds text, stripped; "" when none does. Signs that no database keeps become blanks."""
    for name in names:
        value = row.get(name)
        if isinstance(value, str) and not value.isprintable():
            value = "".join(c if c.isprintable() else " " for c in value)
        if isinstance(value, str) and value.strip():
            return value.strip()[:200]
    return ""


def _side(row: Row) -> Literal["BUY", "SELL"] | None:
    return _SIDES.get(words(row, "action", "transaction_type", "side").upper())


def _identity(row: Row) -> tuple[str, str, str, Literal["BUY", "SELL"], int] | None:
    """Id, exchange, symbol, side, units: without all of them a row could be anything."""
    order_id = clean_id(row.get("orderid", row.get("order_id")))
    exchange, symbol = words(row, "exchange"), words(row, "symbol", "tradingsymbol")
    side, units = _side(row), signed_units(row.get("quantity", row.get("qty")))
    if order_id is None or not exchange or not symbol or side is None or units is None or units < 0:
        return None
    return order_id, exchange, symbol, side, units


def _order(row: Row) -> BookOrder | None:
    identity = _identity(row)
    if identity is None:
        return None
    order_id, exchange, symbol, side, units = identity
    status = words(row, "order_status", "status")
    filled = signed_units(row.get("filled_quantity"))
    return BookOrder(
        broker_order_id=order_id,
        exchange=exchange,
        symbol=symbol,
        action=side,
        product=words(row, "product"),
        price_type=words(row, "pricetype", "price_type", "order_type"),
        units=units,
        price=asked_price(row.get("price")),
        trigger_price=asked_price(row.get("trigger_price")),
        word=word_of(status),
        raw_status=status[:60],
        filled_units=filled if filled is not None and filled >= 0 else None,
        average_price=price(row.get("average_price")),
        reason=words(row, "rejection_reason", "reason"),
        placed_at=_time(row),
    )


def _trade(row: Row) -> BookTrade | None:
    identity = _identity(row)
    if identity is None:
        return None
    order_id, exchange, symbol, side, units = identity
    paid = price(row.get("average_price")) or price(row.get("price"))
    if paid is None:
        if units > 0:
            return None
        paid = Decimal(0)
    return BookTrade(order_id, exchange, symbol, side, words(row, "product"), units, paid, _time(row))


def _position(row: Row) -> BookPosition | None:
    exchange, symbol = words(row, "exchange"), words(row, "symbol", "tradingsymbol")
    units = signed_units(row.get("quantity", row.get("netqty")))
    if not exchange or not symbol or units is None:
        return None
    return BookPosition(
        exchange=exchange,
        symbol=symbol,
        product=words(row, "product"),
        units=units,
        average_price=price(row.get("average_price")),
        last_price=price(row.get("ltp")),
        pnl=number(row.get("pnl")),
    )


def _holding(row: Row) -> BookHolding | None:
    exchange, symbol, units = words(row, "exchange"), words(row, "symbol", "tradingsymbol"), signed_units(row.get("quantity"))
    if not exchange or not symbol or units is None:
        return None
    return BookHolding(
        exchange=exchange,
        symbol=symbol,
        product=words(row, "product"),
        units=units,
        average_price=price(row.get("average_price")),
        last_price=price(row.get("ltp")),
        value=number(row.get("current_value")),
        pnl=number(row.get("pnl")),
        pnl_percent=number(row.get("pnlpercent")),
    )


def _quote(row: Row) -> RestQuote | None:
    inner = row.get("data")
    exchange, symbol = words(row, "exchange"), words(row, "symbol")
    if not isinstance(inner, dict) or not exchange or not symbol:
        return None
    last = price(inner.get("ltp"))
    if last is None:
        return None
    return RestQuote(
        exchange=exchange,
        symbol=symbol,
        last_price=last,
        bid=price(inner.get("bid")),
        ask=price(inner.get("ask")),
        open_interest=_count(inner.get("oi")),
        volume=_count(inner.get("volume")),
        prev_close=price(inner.get("prev_close")),
    )


def _count(value: object) -> int | None:
    found = whole(value)
    return found if found is not None and found >= 0 else None


def _time(row: Row) -> str:
    value = row.get("timestamp")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**15:
        return str(value)
    return words(row, "timestamp", "order_timestamp")[:40]
