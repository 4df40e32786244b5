"""The newest state of each symbol, merged from partial ticks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from algomirror.kernel import clock
from marketdata.domain.quotes import Quote, Source
from marketdata.feed.parse import Book, Nonsense, Partial

# A book older than this beside a living price is not shown with it: it would pull the deciding price back.
BOOK_KEPT_S = 5.0
# A larger jump waits for a second look before it may decide anything.
JUMP_SHARE = Decimal("0.40")
JUMP_RUPEES = Decimal(20)
CONFIRM_SHARE = Decimal("0.10")


@dataclass(slots=True)
class _Symbol:
    quote: Quote | None = None
    book: Book | None = None
    book_at: datetime | None = None
    open_interest: int | None = None
    volume: int | None = None
    prev_close: Decimal | None = None
    doubted: Decimal | None = None
    doubted_at: datetime | None = None
    doubted_stamp: datetime | None = None
    look: tuple[datetime, Decimal, Book | None, int | None] | None = None
    streamed_at: datetime | None = None


class Tape:
    """Takes ticks, gives quotes. One thread writes; others may read `newest`."""

    def __init__(self) -> None:
        self._symbols: dict[str, _Symbol] = {}
        # The trading day for which the closes before hold.
        self._begins = self._ends = datetime.min.replace(tzinfo=UTC)
        self.accepted = 0
        self.refused = 0
        self.doubts = 0
        self.repeats = 0

    def take(self, tick: Partial | Nonsense, received_at: datetime) -> Quote | None:
        """The symbol's new quote; None when the tick brings no price that may be used yet."""
        if isinstance(tick, Nonsense):
            self.refused += 1
            return None
        symbol = self._symbols.setdefault(tick.key, _Symbol())
        if _is_repeat(symbol, tick):
            self.repeats += 1
            return None
        if received_at >= self._ends:
            self._turn(received_at)
        _merge(symbol, tick, received_at, self._begins)
        if tick.last_price is None:
            return None
        symbol.streamed_at = received_at
        if self._is_doubtful(symbol, tick, tick.last_price, received_at):
            self.doubts += 1
            return None
        symbol.doubted = symbol.doubted_at = None
        self.accepted += 1
        symbol.quote = _quote(symbol, tick, tick.last_price, received_at)
        return symbol.quote

    def settle(self, quote: Quote) -> None:
        """A price from another source: it decides a doubt and is what the next tick is compared with."""
        symbol = self._symbols.setdefault(quote.key, _Symbol())
        symbol.doubted = symbol.doubted_at = None
        if symbol.quote is None or symbol.quote.received_at <= quote.received_at:
            symbol.quote = quote
        if quote.received_at >= self._ends:
            self._turn(quote.received_at)
        if symbol.prev_close is None and quote.received_at >= self._begins:
            symbol.prev_close = quote.prev_close

    def newest(self, key: str) -> Quote | None:
        symbol = self._symbols.get(key)
        return symbol.quote if symbol else None

    def doubted_since(self, before: datetime) -> list[str]:
        """Symbols whose jump nobody confirmed since `before`."""
        found = list(self._symbols.items())
        return [key for key, symbol in found if symbol.doubted_at is not None and symbol.doubted_at <= before]

    def unheard(self, keys: Iterable[str], since: datetime) -> frozenset[str]:
        """Those of `keys` of which the stream has said nothing new since then, or ever."""
        heard = {key for key, symbol in list(self._symbols.items()) if symbol.streamed_at and symbol.streamed_at >= since}
        return frozenset(key for key in keys if key not in heard)

    def without_close(self, keys: Iterable[str], at: datetime) -> list[str]:
        """Those of `keys` whose close before this trading day nobody has named."""
        if at >= self._ends:
            return list(keys)
        return [key for key in keys if (symbol := self._symbols.get(key)) is None or symbol.prev_close is None]

    def forget(self, keys: set[str]) -> None:
        for key in keys:
            self._symbols.pop(key, None)

    def keys(self) -> set[str]:
        return set(self._symbols)

    def _turn(self, at: datetime) -> None:
        """A trading day begins: what was the close before is so no longer."""
        begins = clock.start_of(clock.trading_day(at)) + clock.BROKER_DAY_STARTS
        for symbol in list(self._symbols.values()):
            symbol.prev_close = None
        self._begins, self._ends = begins, begins + timedelta(days=1)

    @staticmethod
    def _is_doubtful(symbol: _Symbol, tick: Partial, price: Decimal, received_at: datetime) -> bool:
        if symbol.quote is None:
            return False
        last = symbol.quote.last_price
        change = abs(price - last)
        if change <= JUMP_RUPEES or change <= JUMP_SHARE * last:
            return False
        # Servers repeat a tick to whoever holds several modes: the same stamp is the same look, not a second one.
        is_repeat = tick.exchange_at is not None and tick.exchange_at == symbol.doubted_stamp
        if symbol.doubted is not None and not is_repeat and abs(price - symbol.doubted) <= CONFIRM_SHARE * symbol.doubted:
            return False
        symbol.doubted, symbol.doubted_stamp = price, tick.exchange_at
        symbol.doubted_at = symbol.doubted_at or received_at
        return True


def _is_repeat(symbol: _Symbol, tick: Partial) -> bool:
    """The same stamp, price, book and volume once more is no newer look: a feed that stands still must grow old."""
    if tick.exchange_at is None or tick.last_price is None:
        return False
    before, symbol.look = symbol.look, (tick.exchange_at, tick.last_price, tick.book, tick.volume)
    return before == symbol.look


def _merge(symbol: _Symbol, tick: Partial, received_at: datetime, begins: datetime) -> None:
    if tick.book is not None:
        symbol.book, symbol.book_at = tick.book, received_at
    if tick.open_interest is not None:
        symbol.open_interest = tick.open_interest
    if tick.volume is not None:
        symbol.volume = tick.volume
    # A server may repeat the last tick of an earlier day to whoever subscribes: its close before is not this day's.
    if tick.prev_close is not None and (tick.exchange_at is None or tick.exchange_at >= begins):
        symbol.prev_close = tick.prev_close


def _quote(symbol: _Symbol, tick: Partial, price: Decimal, received_at: datetime) -> Quote:
    book = symbol.book
    if book is None or symbol.book_at is None or (received_at - symbol.book_at).total_seconds() > BOOK_KEPT_S:
        book = Book(None, None, None, None)
    return Quote(
        key=tick.key,
        last_price=price,
        received_at=received_at,
        source=Source.STREAM,
        bid=book.bid,
        ask=book.ask,
        bid_units=book.bid_units,
        ask_units=book.ask_units,
        open_interest=symbol.open_interest,
        volume=symbol.volume,
        prev_close=symbol.prev_close,
        exchange_at=tick.exchange_at,
    )
