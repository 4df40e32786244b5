"""Reading what an exit decides from: the book's own rows, and what the broker's last complete position read proves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db.models import Max, Q, Sum

from accounts.models import BrokerRead
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.kernel.money import Action, parse_quantity
from marketdata import quotes
from trading.domain import exits
from trading.domain.exits import Instrument
from trading.domain.orders import LIVE_STATES, UNACKNOWLEDGED, OrderState, Purpose
from trading.models import Book, ExitGoal, Fill, Order, Position

OF_INTEREST = [s.value for s in LIVE_STATES | {OrderState.INITIALIZED, OrderState.LAPSED}]


@dataclass(frozen=True, slots=True)
class Terms:
    lot_units: int
    tick: Decimal
    freeze_units: int | None


def terms(book_id: int, instrument: Instrument) -> Terms:
    """Lot, tick and freeze as the book's own orders carried them; exits copy the fill, not today's definition."""
    exchange, symbol, product = instrument
    row = (
        Order.objects.filter(book_id=book_id, exchange=exchange, symbol=symbol, product=product)
        .order_by("-id")
        .values("lot_units", "tick", "freeze_units")
        .first()
    )
    if row is None:
        raise Refused(f"book {book_id} never had an order in {exchange}:{symbol}")
    return Terms(row["lot_units"], row["tick"], row["freeze_units"])


def last_known_price(key: str, position: Position) -> Decimal:
    """The newest price of any age, else what the position cost."""
    quote = quotes.get([key]).get(key)
    if quote is not None:
        return quote.deciding_price
    return position.open_value / max(abs(position.units), 1)


def facts(goal: ExitGoal, now: datetime) -> exits.Facts:
    book = goal.book
    positions = list(Position.objects.filter(book=book).exclude(units=0))
    instruments = [(p.exchange, p.symbol, p.product) for p in positions]
    return exits.Facts(
        positions=[_position(p) for p in positions],
        orders=[_order(o) for o in Order.objects.filter(book=book, state__in=OF_INTEREST)],
        targets=None if goal.targets is None else {_split(k): v for k, v in goal.targets.items()},
        hedges=_hedges(book),
        evidence={p: e for p in instruments if (e := proof(book, p)) is not None},
        needs_evidence=frozenset(_ended(goal)),
        taken=frozenset(_taken(book)),
        now=now,
        repeg=timedelta(seconds=settings.REPEG_S),
    )


def _taken(book: Book) -> Iterable[tuple[Instrument, Action]]:
    rows = Order.objects.filter(account_id=book.account_id, state__in=[s.value for s in UNACKNOWLEDGED]).exclude(book=book)
    for exchange, symbol, product, action in rows.values_list("exchange", "symbol", "product", "action"):
        yield (exchange, symbol, product), "BUY" if action == "BUY" else "SELL"


def has_room(order: Order) -> bool:
    """The last look at an exit, inside the claim: everything sent since it was decided is counted against it."""
    goal = ExitGoal.objects.select_related("book").filter(pk=order.goal_id).first() if order.goal_id else None
    return goal is not None and order.units <= exits.room(facts(goal, clock.now()), (order.exchange, order.symbol, order.product))


def _split(key: str) -> Instrument:
    exchange, symbol, product = key.split(":")
    return (exchange, symbol, product)


def _position(p: Position) -> exits.PositionView:
    instrument = (p.exchange, p.symbol, p.product)
    t = terms(p.book_id, instrument)
    return exits.PositionView(instrument, p.leg, p.units, t.lot_units, t.tick, t.freeze_units)


def _order(o: Order) -> exits.OrderView:
    action: Action = "BUY" if o.action == "BUY" else "SELL"
    return exits.OrderView(
        order_id=o.pk,
        purpose=Purpose(o.purpose),
        instrument=(o.exchange, o.symbol, o.product),
        action=action,
        state=OrderState(o.state),
        units=o.units,
        filled_units=o.filled_units,
        sent_at=o.sent_at,
        leg=o.leg,
        protected=o.protected,
    )


def _hedges(book: Book) -> dict[int, list[int]]:
    rows = Order.objects.filter(book=book, purpose=Purpose.HEDGE, attempt=0).values_list("leg", "hedge_legs")
    return {leg: list(legs) for leg, legs in rows}


def _ended(goal: ExitGoal) -> Iterable[Instrument]:
    """Instruments where an exit of this goal was sent and ended: the next one wants fresh proof of what is left."""
    ended = [OrderState.CANCELED, OrderState.REJECTED, OrderState.LAPSED, OrderState.FILLED]
    rows = Order.objects.filter(goal=goal, state__in=ended).values_list("exchange", "symbol", "product").distinct()
    return [(exchange, symbol, product) for exchange, symbol, product in rows]


def proof(book: Book, instrument: Instrument) -> exits.Evidence | None:
    """What the last complete position read says of the book's position; None when that read is older than our last news."""
    read = BrokerRead.objects.filter(account_id=book.account_id, kind=BrokerRead.Kind.POSITIONS).first()
    if read is None or read.started_at is None:
        return None
    newest = last_change(book.account_id, instrument)
    if newest is not None and read.started_at <= newest:
        return None
    owned = _owned(book.account_id, instrument)
    mine = owned.get(book.pk, 0)
    direction = 1 if mine > 0 else -1
    lacking = direction * (sum(owned.values()) - _net(read, instrument))
    return exits.Evidence(
        missing=min(max(lacking, 0), abs(mine)),
        outside=max(-lacking, 0),
        sole_owner=all(pk == book.pk for pk, units in owned.items() if units),
    )


def agrees(account_id: int, instrument: Instrument) -> bool:
    """A complete position read, newer than our last news, shows exactly what our books own of this instrument."""
    read = BrokerRead.objects.filter(account_id=account_id, kind=BrokerRead.Kind.POSITIONS).first()
    if read is None or read.started_at is None:
        return False
    newest = last_change(account_id, instrument)
    if newest is not None and read.started_at <= newest:
        return False
    return sum(_owned(account_id, instrument).values()) == _net(read, instrument)


def last_change(account_id: int, instrument: Instrument) -> datetime | None:
    exchange, symbol, product = instrument
    here = Q(account_id=account_id, exchange=exchange, symbol=symbol, product=product)
    ended = Order.objects.filter(here, sent_at__isnull=False).aggregate(at=Max("finished_at"))["at"]
    filled = Fill.objects.filter(here).aggregate(at=Max("first_seen_at"))["at"]
    return max((t for t in (ended, filled) if t is not None), default=None)


def _owned(account_id: int, instrument: Instrument) -> dict[int, int]:
    exchange, symbol, product = instrument
    rows = Position.objects.filter(book__account_id=account_id, exchange=exchange, symbol=symbol, product=product)
    return dict(rows.values_list("book_id").annotate(total=Sum("units")).values_list("book_id", "total"))


def _net(read: BrokerRead, instrument: Instrument) -> int:
    exchange, symbol, product = instrument
    return sum(
        parse_quantity(row["units"]) or 0
        for row in read.rows
        if row["exchange"] == exchange and row["symbol"] == symbol and row["product"] == product
    )


def agrees_again(book: Book) -> bool:
    """True on the second complete read in a row that shows everything this frozen book owns."""
    positions = Position.objects.filter(book=book).exclude(units=0)
    proofs = [proof(book, (p.exchange, p.symbol, p.product)) for p in positions]
    read = (
        BrokerRead.objects.filter(account_id=book.account_id, kind=BrokerRead.Kind.POSITIONS)
        .values_list("sequence", flat=True)
        .first()
    )
    if read is None or any(e is None or e.missing for e in proofs):
        Book.objects.filter(pk=book.pk).update(agreed_read=None)
        return False
    if book.agreed_read is None:
        Book.objects.filter(pk=book.pk).update(agreed_read=read)
        return False
    return read > book.agreed_read
