"""After the close of their last day, what books own of expired contracts is settled: by the index close, provisionally.

The exchange pays in cash; no order is sent. The fill says SETTLEMENT, and the next complete read of the broker's
positions confirms it or calls a person.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, cast

from django.db import IntegrityError, transaction

from accounts.models import BrokerRead
from algomirror.kernel import clock
from algomirror.kernel.ids import client_order_id
from marketdata import calendar, selectors
from marketdata import quotes as store
from marketdata.models import Instrument
from trading.domain.orders import LIVE_STATES, OrderState, Purpose
from trading.domain.settlement import settled_at
from trading.models import Book, Fill, Order, Position
from trading.services import apply, evidence, record, versions

log = logging.getLogger(__name__)

ENGINE: Final = "engine:expiry"
# What an order's row says that no broker ever had.
PRICE_TYPE: Final = "EXPIRY"
# Trades of the last minutes reach the trade book first.
AFTER_CLOSE: Final = timedelta(minutes=5)
# An index price this shortly before the close of derivatives is its close: the index itself stops earlier.
CLOSE_SEEN: Final = timedelta(minutes=30)
MAY_FILL: Final = [s.value for s in LIVE_STATES]


def due() -> bool:
    """Is anything open of a contract whose last day has come? Two queries."""
    symbols = set(Position.objects.exclude(units=0).values_list("symbol", flat=True))
    unconfirmed = Order.objects.filter(price_type=PRICE_TYPE, last_seen_at=None).exists()
    return unconfirmed or (bool(symbols) and Instrument.objects.filter(symbol__in=symbols, expiry__lte=clock.today()).exists())


def settle() -> int:
    """Settle what can be; one position that cannot be holds up no other. How many were."""
    now, done = clock.now(), 0
    for position, contract in _expired(now):
        try:
            done += _settle(position, contract)
        except Exception:
            log.exception("not settled position=%s", position.pk)
            record.ring_book("SETTLEMENT_FAILED", f"{contract.symbol} expired and could not be settled.", position.book)
    _confirm()
    return done


def _expired(now: datetime) -> Iterable[tuple[Position, Instrument]]:
    open_now = list(Position.objects.exclude(units=0).select_related("book__account"))
    wanted = {position.symbol for position in open_now}
    listed = {row.key: row for row in Instrument.objects.filter(symbol__in=wanted, expiry__lte=clock.today())}
    for position in open_now:
        contract = listed.get(position.key)
        if contract is None or contract.expiry is None:
            continue
        close = calendar.session_close(contract.exchange, contract.expiry)
        if close is not None and now >= close + AFTER_CLOSE:
            yield position, contract
        elif close is None and clock.today() > contract.expiry:
            text = f"{contract.symbol} ended on a day that had no session, with {position.units} units open. A person settles it."
            record.ring_book("SETTLEMENT_WAITS", text, position.book, key=position.pk)


def _settle(position: Position, contract: Instrument) -> bool:
    book = Book.objects.get(pk=position.book_id)  # its version first: what is read after it is claimed with it
    position.refresh_from_db()
    if not position.units:
        return False
    if book.state == Book.State.FROZEN and book.freeze_kind != "MISSING":
        return False  # a person decides about this book
    same = {"account_id": book.account_id, "exchange": position.exchange, "symbol": position.symbol}
    if Order.objects.filter(**same, product=position.product, state__in=MAY_FILL).exists():
        return False
    index = index_close(contract)
    if index is None:
        text = f"{contract.symbol} expired with {position.units} units open, and the close of its index is not known."
        record.ring_book("SETTLEMENT_WAITS", text, book, key=position.pk)
        return False
    price = settled_at(cast(Literal["CE", "PE", "FUT"], contract.kind), contract.strike, index)
    try:
        with transaction.atomic():
            if not versions.claim(book):
                return False
            _write(position, contract, contract.expiry or clock.today(), price=price, index=index)
    except IntegrityError:
        return False  # another worker was first
    apply.after(book.pk)
    return True


def index_close(contract: Instrument) -> Decimal | None:
    """The index at the close of the contract's last day: seen then, or the previous close that the next day's quotes carry."""
    day = contract.expiry
    close = None if day is None else calendar.session_close(contract.exchange, day)
    key = selectors.index_key(contract.underlying)
    quote = store.get([key]).get(key)
    if day is None or close is None or quote is None:
        return None
    seen = clock.trading_day(quote.received_at)
    if seen == day:
        return quote.last_price if quote.received_at >= close - CLOSE_SEEN else None
    return quote.prev_close if seen == _next_day(contract.exchange, day) else None


def _next_day(exchange: str, day: date) -> date | None:
    ahead = (day + timedelta(days=n) for n in range(1, 15))
    return next((one for one in ahead if calendar.session_close(exchange, one) is not None), None)


def _write(position: Position, contract: Instrument, day: date, *, price: Decimal, index: Decimal) -> None:
    """The order nobody sent, and its fill. One per position and time: a second is refused by its name."""
    now, book, units = clock.now(), position.book, abs(position.units)
    before = Order.objects.filter(book=book, symbol=position.symbol, product=position.product, price_type=PRICE_TYPE).count()
    name = client_order_id(f"x{position.pk}", book.account_id, position.leg, 0, before)
    order = Order.objects.create(
        book=book,
        account_id=book.account_id,
        client_order_id=name,
        purpose=Purpose.EXIT,
        leg=position.leg,
        exchange=position.exchange,
        symbol=position.symbol,
        product=position.product,
        action="SELL" if position.units > 0 else "BUY",
        units=units,
        lot_units=contract.lot_units,
        freeze_units=contract.freeze_units,
        tick=contract.tick,
        price_type=PRICE_TYPE,
        price=price,
        state=OrderState.ACCEPTED,
        reason=f"expired; settled by the index close of {index}, provisional",
        trading_day=day,
        created_at=now,
        acknowledged_at=now,
    )
    apply.fill(order, name, cumulative_units=units, cumulative_value=units * price, source=Fill.Source.SETTLEMENT)
    apply.move(order, OrderState.FILLED, why="", actor=ENGINE)
    numbers = {"symbol": position.symbol, "units": position.units, "price": price, "index": index}
    record.of_order("book.settled", order, actor=ENGINE, why=order.reason, **numbers)


def _confirm() -> None:
    """A complete position read that began after the settlement: gone there too is confirmed, still there calls a person."""
    for order in Order.objects.filter(price_type=PRICE_TYPE, last_seen_at=None, state=OrderState.FILLED).select_related("book"):
        read = BrokerRead.objects.filter(account_id=order.account_id, kind="POSITIONS", error="").first()
        if read is None or read.started_at is None or read.started_at <= order.created_at:
            continue
        if not evidence.agrees(order.account_id, (order.exchange, order.symbol, order.product)):
            text = f"{order.symbol} was settled here at {order.price}, the broker still shows units of it."
            record.ring_order("SETTLEMENT_DIFFERS", text, order)
            continue
        if Order.objects.filter(pk=order.pk, last_seen_at=None).update(last_seen_at=clock.now()):
            record.of_order("settlement.confirmed", order, actor=ENGINE, why="the broker shows nothing of it any more")
