"""Reads of reference data. Expiries and strikes come from the broker's list, never from arithmetic."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops.prepared import Prepared
from marketdata import calendar
from marketdata.domain.expiries import Slot, future_slots, option_slots
from marketdata.domain.strikes import around
from marketdata.domain.symbols import OptionKind
from marketdata.models import Instrument, Underlying

ExpiryKind = Literal["OPT", "FUT"]
_OPTIONS = (Instrument.Kind.CALL, Instrument.Kind.PUT)
_index_exchange = Prepared(lambda symbol: Underlying.objects.filter(symbol=symbol).values_list("index_exchange", flat=True))


def underlyings() -> list[Underlying]:
    """Those the owner enabled, in display order."""
    return list(Underlying.objects.filter(enabled=True))


def underlying(symbol: str) -> Underlying:
    """Refused when it does not exist or is switched off."""
    row = Underlying.objects.filter(symbol=symbol, enabled=True).first()
    if row is None:
        raise Refused(f"{symbol} is not an enabled underlying", fields={"underlying": "not enabled"})
    return row


def index_key(symbol: str) -> str:
    """The quote key of an underlying's index: NSE_INDEX:NIFTY."""
    exchange = _index_exchange.first(symbol)
    if exchange is None:
        raise Refused(f"{symbol} is not a known underlying", fields={"underlying": "unknown"})
    return f"{exchange}:{symbol}"


def index_keys() -> dict[str, str]:
    """Quote keys of all enabled underlyings by symbol, in display order."""
    return {row.symbol: f"{row.index_exchange}:{row.symbol}" for row in underlyings()}


def instrument(exchange: str, symbol: str) -> Instrument | None:
    return Instrument.objects.filter(exchange=exchange, symbol=symbol).first()


def option(underlying: str, expiry: date, strike: Decimal, kind: OptionKind) -> Instrument | None:
    return Instrument.objects.filter(underlying=underlying, kind=kind, expiry=expiry, strike=strike).first()


def future(underlying: str, expiry: date) -> Instrument | None:
    return Instrument.objects.filter(underlying=underlying, kind=Instrument.Kind.FUTURE, expiry=expiry).first()


def expiries(underlying: str, kind: ExpiryKind = "OPT", now: datetime | None = None) -> list[date]:
    """Listed dates whose session close is still ahead, ascending.

    A listed date on which the calendar has no session keeps to the end of the day: the list is right more often.
    """
    now = now or clock.now()
    today = now.astimezone(clock.IST).date()
    kinds = _OPTIONS if kind == "OPT" else (Instrument.Kind.FUTURE,)
    rows = (
        Instrument.objects.filter(underlying=underlying, kind__in=kinds, expiry__gte=today)
        .order_by("expiry")
        .values_list("expiry", "exchange")
        .distinct()
    )
    return [day for day, exchange in rows if day is not None and (day > today or _still_open(exchange, day, now))]


def _still_open(exchange: str, day: date, now: datetime) -> bool:
    close = calendar.session_close(exchange, day)
    return close is None or now < close


def slots(underlying: str, now: datetime | None = None, kind: ExpiryKind = "OPT") -> dict[Slot, date]:
    """The date each slot means at this instant; a slot that does not exist is absent and must be refused."""
    futures = expiries(underlying, "FUT", now)
    if kind == "FUT":
        return future_slots(futures)
    has_weeklies = Underlying.objects.filter(symbol=underlying, has_weeklies=True).exists()
    return option_slots(expiries(underlying, "OPT", now), futures, has_weeklies=has_weeklies)


def strikes(underlying: str, expiry: date) -> list[Decimal]:
    """Strikes listed as call and as put, ascending."""
    rows = Instrument.objects.filter(underlying=underlying, expiry=expiry, kind__in=_OPTIONS).values_list("strike", "kind")
    calls = {strike for strike, kind in rows if kind == Instrument.Kind.CALL and strike is not None}
    puts = {strike for strike, kind in rows if kind == Instrument.Kind.PUT and strike is not None}
    return sorted(calls & puts)


def chain_instruments(underlying: str, expiry: date, centre: Decimal, width: int) -> dict[Decimal, dict[str, Instrument]]:
    """The contracts of the strikes around a centre: strike -> {"CE": …, "PE": …}, strikes ascending."""
    shown = around(centre, strikes(underlying, expiry), width)
    rows = Instrument.objects.filter(underlying=underlying, expiry=expiry, kind__in=_OPTIONS, strike__in=shown)
    found: dict[Decimal, dict[str, Instrument]] = {strike: {} for strike in shown}
    for row in rows:
        if row.strike is not None:
            found[row.strike][row.kind] = row
    return found
