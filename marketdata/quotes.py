"""The quote store: one price per instrument for all accounts, pages and guards, each with its age. Kept in Redis."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec
import redis
from django.conf import settings

from algomirror.kernel import clock
from algomirror.ops.queue import client
from marketdata.domain.quotes import AHEAD_S, Bounds, Freshness, Quote, Source, freshness

log = logging.getLogger(__name__)

KEPT_S = 7 * 86_400
# A stored quote begins with its moment, its trading day, and the close before that day: spaces while nobody named it.
_STAMP, _DAY, _CLOSE = 20, 6, 20
_HEAD = _STAMP + _DAY + _CLOSE
_NAMED = _STAMP + _DAY + 1  # where it begins, as Lua counts
_HEAD_OF: Final = f"%0{_STAMP}d%0{_DAY}d%-{_CLOSE}s"

# Redis decides which of two quotes is younger, so that two writers cannot make a price older. The close before is known
# for its day once one of them names it: a price that names none takes it over, one that was overtaken still brings it.
# Moments are held against each other with all that follows them: only where they are equal they are looked at alone.
# What is of the future, because the clock was set back since, is no younger than anything.
_PUT = f"""
local byte, sub, call = string.byte, string.sub, redis.call
local stored, ahead = 0, ARGV[#KEYS + 1]
for i, key in ipairs(KEYS) do
  local new = ARGV[i]
  local old = call('GETRANGE', key, 0, {_HEAD - 1})
  local names, named = byte(new, {_NAMED}) ~= 32, byte(old, {_NAMED}) ~= 32
  if old < new or sub(old, 1, {_STAMP}) == sub(new, 1, {_STAMP}) or old > ahead then
    if named and not names and sub(old, {_STAMP + 1}, {_NAMED - 1}) == sub(new, {_STAMP + 1}, {_NAMED - 1}) then
      new = sub(new, 1, {_NAMED - 1}) .. sub(old, {_NAMED}) .. sub(new, {_HEAD + 1})
    end
    call('SET', key, new, 'EX', ARGV[#ARGV])
    stored = stored + 1
  elseif names and not named and sub(old, {_STAMP + 1}, {_NAMED - 1}) == sub(new, {_STAMP + 1}, {_NAMED - 1}) then
    call('SETRANGE', key, {_NAMED - 1}, sub(new, {_NAMED}, {_HEAD}))
  end
end
return stored
"""


class _Row(msgspec.Struct, array_like=True):
    last_price: Decimal
    received_us: int
    source: str
    bid: Decimal | None
    ask: Decimal | None
    bid_units: int | None
    ask_units: int | None
    open_interest: int | None
    volume: int | None
    exchange_us: int | None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Row)


def bounds() -> Bounds:
    return Bounds(stream_s=settings.QUOTE_FRESH_STREAM_S, rest_s=settings.QUOTE_FRESH_REST_S)


def put(quotes: Iterable[Quote]) -> int | None:
    """Store quotes; how many were taken. One older than what is stored is not, unless that is of the future.

    None: the store could not be reached.
    """
    rows = [quote for quote in quotes if is_price(quote.last_price)]
    if not rows:
        return 0
    ahead = f"{_micros(clock.now() + timedelta(seconds=AHEAD_S)):0{_STAMP}d}"
    try:
        taken = client().eval(
            _PUT, len(rows), *(_name(quote.key) for quote in rows), *(_encode(quote) for quote in rows), ahead, str(KEPT_S)
        )
    except (redis.RedisError, OSError) as error:
        log.warning("quote store down act=put rows=%s error=%s", len(rows), type(error).__name__)
        return None
    return int(taken)


def get(keys: Iterable[str]) -> dict[str, Quote]:
    """What is stored, of any age. A key that is missing is unknown; so is every key when the store is down."""
    wanted = list(dict.fromkeys(keys))
    if not wanted:
        return {}
    try:
        found = client().mget([_name(key) for key in wanted])
    except (redis.RedisError, OSError) as error:
        log.warning("quote store down act=get rows=%s error=%s", len(wanted), type(error).__name__)
        return {}
    decoded = ((key, _decode(key, raw)) for key, raw in zip(wanted, found, strict=True) if raw is not None)  # type: ignore[arg-type]
    return {key: quote for key, quote in decoded if quote is not None}


def fresh(keys: Iterable[str], now: datetime) -> dict[str, Quote]:
    """The quotes young enough to decide; whatever is missing here is unknown."""
    return only_fresh(get(keys), now)


def only_fresh(known: Mapping[str, Quote], now: datetime) -> dict[str, Quote]:
    limits = bounds()
    return {key: quote for key, quote in known.items() if freshness(quote, now, limits) is Freshness.FRESH}


def is_price(value: Decimal | None) -> bool:
    return value is not None and value.is_finite() and value > 0


def _name(key: str) -> str:
    return f"am:q:{key}"


def _micros(at: datetime) -> int:
    return math.floor(at.timestamp()) * 1_000_000 + at.microsecond


def _at(micros: int) -> datetime:
    return datetime.fromtimestamp(micros // 1_000_000, UTC).replace(microsecond=micros % 1_000_000)


def _encode(quote: Quote) -> bytes:
    row = _Row(
        quote.last_price,
        _micros(quote.received_at),
        quote.source.value,
        quote.bid,
        quote.ask,
        quote.bid_units,
        quote.ask_units,
        quote.open_interest,
        quote.volume,
        None if quote.exchange_at is None else _micros(quote.exchange_at),
    )
    close = "" if quote.prev_close is None else str(quote.prev_close)
    head = _HEAD_OF % (row.received_us, _day(row.received_us), close if len(close) <= _CLOSE else "")
    return head.encode() + _encoder.encode(row)


def _day(micros: int) -> int:
    """The trading day as a number. India has one offset all year; a calendar for each of thousands of ticks is too dear."""
    return (micros - _FIRST_DAY_US) // _DAY_US


_DAY_US = 86_400_000_000
_FIRST_DAY_US = _micros(clock.start_of(date(1970, 1, 1)) + clock.BROKER_DAY_STARTS)


def _decode(key: str, raw: bytes) -> Quote | None:
    try:
        row = _decoder.decode(raw[_HEAD:])
        source = Source(row.source)
        close = raw[_STAMP + _DAY : _HEAD].decode().rstrip()
        prev_close = Decimal(close) if close else None
    except (msgspec.MsgspecError, ValueError, ArithmeticError):
        log.warning("quote unreadable key=%s", key)
        return None
    return Quote(
        key=key,
        last_price=row.last_price,
        received_at=_at(row.received_us),
        source=source,
        bid=row.bid,
        ask=row.ask,
        bid_units=row.bid_units,
        ask_units=row.ask_units,
        open_interest=row.open_interest,
        volume=row.volume,
        prev_close=prev_close,
        exchange_at=None if row.exchange_us is None else _at(row.exchange_us),
    )
