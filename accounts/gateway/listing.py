"""Contracts, expiries, chains and calendars as a server lists them. An empty list is an answer only where it says so."""

from __future__ import annotations

import csv
import io
import logging
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from accounts.gateway.parse import Row, number, payload, price, rows_of, unreadable, whole, words
from accounts.gateway.reports import Failed, HistoryBar, ListedInstrument

log = logging.getLogger(__name__)

# One odd row among thousands is left out; more than this and the list itself is in doubt.
_LOSS_ALLOWED = 0.01
_DATE_FORMS = ("%d-%b-%y", "%d-%b-%Y", "%d%b%y", "%d%b%Y", "%Y-%m-%d")
_DEFAULT_TICK = Decimal("0.05")


def wire_expiry(day: date) -> str:
    """25AUG26, the form the option endpoints take; the dashed one finds nothing there."""
    return f"{day:%d%b%y}".upper()


def expiry_date(text: object) -> date | None:
    if not isinstance(text, str):
        return None
    for form in _DATE_FORMS:
        try:
            return datetime.strptime(text.strip(), form).date()  # noqa: DTZ007 a calendar day has no zone
        except ValueError:
            continue
    return None


def expiries(body: Any) -> list[date] | Failed:
    """Ascending. Empty means the server knows none, which is also what it says of an unknown underlying."""
    found = payload(body)
    if isinstance(found, Failed):
        return found
    if not isinstance(found, list):
        return unreadable("expiries are no list")
    days: list[date] = []
    for text in found:
        day = expiry_date(text)
        if day is None:
            return unreadable("an expiry date")
        days.append(day)
    return sorted(set(days))


def instruments(body: Any) -> list[ListedInstrument] | Failed:
    """From CSV text or from JSON. An empty list means the contract list is not loaded there, and is a failure."""
    rows = _csv_rows(body) if isinstance(body, str) else payload(body)
    if isinstance(rows, Failed):
        return rows
    if not isinstance(rows, list) or not rows:
        return unreadable("the contract list is empty")
    found = [known for row in rows if isinstance(row, dict) and (known := _instrument(row)) is not None]
    lost = len(rows) - len(found)
    if lost > len(rows) * _LOSS_ALLOWED:
        return unreadable(f"{lost} of {len(rows)} contracts")
    if lost:
        log.warning("contracts left out lost=%d of=%d", lost, len(rows))
    return found


def _csv_rows(text: str) -> list[Row] | Failed:
    try:
        return list(csv.DictReader(io.StringIO(text), strict=True))
    except csv.Error:
        return unreadable("the contract list is no CSV")


def instrument(body: Any) -> ListedInstrument | Failed:
    found = payload(body)
    if isinstance(found, Failed):
        return found
    known = _instrument(found) if isinstance(found, dict) else None
    return known or unreadable("the contract")


def _instrument(row: Row) -> ListedInstrument | None:
    exchange, symbol = words(row, "exchange"), words(row, "symbol")
    kind = words(row, "instrumenttype").upper()
    lot = whole(row.get("lotsize"))
    if not exchange or not symbol or lot is None or lot < 1:
        return None
    freeze = whole(row.get("freeze_qty"))
    return ListedInstrument(
        exchange=exchange,
        symbol=symbol,
        name=words(row, "name"),
        kind=kind,
        expiry=words(row, "expiry"),
        strike=price(row.get("strike")),
        lot_units=lot,
        tick=_tick(number(row.get("tick_size")), kind=kind, exchange=exchange),
        freeze_units=freeze if freeze is not None and freeze > 1 else None,
    )


def _tick(raw: Decimal | None, *, kind: str, exchange: str) -> Decimal:
    """Rupees. Some adapters list paise: an option tick of 5 is 0.05; unknown is the exchanges' 0.05."""
    if raw is None or raw <= 0:
        return _DEFAULT_TICK
    is_paise = (kind in ("CE", "PE") and raw >= 1) or (exchange in ("NFO", "BFO") and raw >= 5)
    return raw / 100 if is_paise else raw


def option_chain(body: Any) -> dict[str, Any] | Failed:
    """The server's chain as it is, decimals exact; its zeros are failed quotes, never prices."""
    if not isinstance(body, dict):
        return unreadable("the chain is no object")
    rows = payload(body, "chain")
    if isinstance(rows, Failed):
        return rows
    if not isinstance(rows, list) or not all(isinstance(r, dict) and price(r.get("strike")) is not None for r in rows):
        return unreadable("a row of the chain")
    return body


def holidays(body: Any) -> list[dict[str, Any]] | Failed:
    """Each row has a readable `date`. Empty also means a year the server knows nothing about."""
    return rows_of(payload(body), lambda row: row if expiry_date(row.get("date")) else None, "the holidays")


def history(body: Any) -> list[HistoryBar] | Failed:
    """The candles that can be read, oldest first. A candle with a hole or a zero in it is left out, never repaired."""
    found = payload(body)
    if isinstance(found, Failed):
        return found
    if not isinstance(found, list):
        return unreadable("the history is no list")
    bars = {bar.at: bar for row in found if isinstance(row, dict) and (bar := _bar(row)) is not None}
    if found and not bars:
        return unreadable("every candle of the history")
    return [bars[at] for at in sorted(bars)]


def _bar(row: Row) -> HistoryBar | None:
    at = whole(row.get("timestamp"))
    opened, high, low, close = (price(row.get(name)) for name in ("open", "high", "low", "close"))
    if at is None or not 0 < at < 10**10 or opened is None or high is None or low is None or close is None:
        return None
    if not 0 < low <= min(opened, close) or high < max(opened, close):
        return None
    volume, interest = whole(row.get("volume")), whole(row.get("oi"))
    return HistoryBar(
        at=datetime.fromtimestamp(at, UTC),
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=volume if volume is not None and volume >= 0 else None,
        open_interest=interest if interest else None,
    )
