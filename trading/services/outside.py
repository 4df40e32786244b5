"""What a person decides about what our books do not explain. Nothing here happens by itself, and nothing is sent.

Adopting makes an outside position a book's own; closing outside takes out of a book what the broker no longer shows. Both
write an order that was filled elsewhere and its fill, so that a position stays the fold of its book's fills.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.db import IntegrityError, models, transaction

from accounts.models import Account, BrokerRead
from algomirror.kernel import clock
from algomirror.kernel.errors import Conflict, Refused
from algomirror.kernel.ids import client_order_id, digest
from algomirror.ops import journal
from algomirror.ops.models import Journal
from marketdata import selectors as reference
from trading.domain.orders import EXITS, OrderState, Purpose
from trading.domain.reconcile import Instrument
from trading.models import Book, BrokerOrder, Fill, Order, Position, Run
from trading.pages.compare import Compared, Verdict, compared
from trading.services import apply, earlier, evidence, intents, record, versions, wake

ADOPTED, CLOSED_OUTSIDE, LEFT = "outside.adopted", "outside.closed", "outside.left"
OLDEST_READ = timedelta(minutes=5)
CLOSED_WORDS = "trades elsewhere closed it"


@dataclass(frozen=True, slots=True)
class Place:
    account_id: int
    exchange: str
    symbol: str
    product: str

    @property
    def instrument(self) -> Instrument:
        return (self.exchange, self.symbol, self.product)

    def __str__(self) -> str:
        return f"{self.exchange}:{self.symbol}:{self.product}"


@dataclass(frozen=True, slots=True)
class Seen:
    """The comparison a person looked at; it must still be so when they decide."""

    ours: int
    broker: int


def adopt(place: Place, seen: Seen, *, book_id: int | None, price: Decimal | None, by: str, key: str) -> Book:
    """Make the outside part of this instrument a book's own: the account's ticket book, or the run's book given.

    `price` is what a unit cost; without one the broker's average counts. Nothing is sent; guards of the run see it at once.
    """
    if (done := _before(ADOPTED, place, by, key)) is not None:
        return done
    found, read = _decidable(place, seen)
    units = seen.broker - seen.ours
    if seen.ours and (units > 0) != (seen.ours > 0):
        raise Refused("Our books hold more than the broker shows: that is closed outside, not adopted.")
    cost = price if price is not None else found.broker.average if found.broker is not None else None
    if cost is None:
        raise Refused("The price is not known.", fields={"price": "the broker reports no average: type what a unit cost"})
    with transaction.atomic():
        book = _adopter(place, book_id)
        _write(place, book, units, cost, purpose=Purpose.ENTRY, read=read, by=by)
        _tell(ADOPTED, place, book, seen, by=by, key=key, units=units, price=cost)
    apply.after(book.pk)
    return book


def close_outside(place: Place, seen: Seen, *, book_id: int, price: Decimal, by: str, key: str) -> Book:
    """Take out of this book what trades elsewhere closed, as far as the broker's smaller net proves it."""
    if (done := _before(CLOSED_OUTSIDE, place, by, key)) is not None:
        return done
    _, read = _decidable(place, seen)
    gone = seen.broker - seen.ours
    # Books may hold one instrument either way: what counts is what this one would have lost by it.
    closes = Position.objects.filter(book__account_id=place.account_id, exchange=place.exchange, symbol=place.symbol)
    closes = closes.filter(product=place.product, **{"units__lt" if gone > 0 else "units__gt": 0})
    if not closes.exists():
        raise Refused("The broker does not show less than our books own: nothing was closed outside.")
    with transaction.atomic():
        book = Book.objects.filter(pk=book_id, account_id=place.account_id).first()
        held = _held(book, place)
        if book is None or not held or (held > 0) == (gone > 0):
            raise Refused("This book does not hold it.", fields={"book": "choose the book that owned it"})
        units = min(abs(gone), abs(held))
        _write(place, book, -units if held > 0 else units, price, purpose=Purpose.EXIT, read=read, by=by)
        _tell(CLOSED_OUTSIDE, place, book, seen, by=by, key=key, units=units, price=price)
    apply.after(book.pk)
    wake.wake([place.account_id])
    return book


def leave(place: Place, seen: Seen, *, by: str, key: str, why: str = "") -> None:
    """Say that a person knows of this outside position and leaves it. It is shown as left until it changes."""
    if journal_row(LEFT, place, by, key):
        return
    found, _ = _decidable(place, seen)
    if found.verdict is not Verdict.OUTSIDE:
        raise Refused("Our books hold this too: it is adopted or closed outside, not left.")
    units = seen.broker - seen.ours
    journal.record(
        LEFT, actor=by, why=why or "left outside", subject=str(place), account_id=place.account_id, key=key, units=units
    )


def never_sent(order_id: int, *, by: str, why: str) -> Order:
    """A person says the broker never had this order. Its reads must have shown nothing of it since it was sent."""
    order = Order.objects.select_related("book", "account").filter(pk=order_id).first()
    if order is None:
        raise Refused("There is no such order.", fields={"order": "unknown"})
    if order.state not in (OrderState.UNKNOWN, OrderState.QUEUED, OrderState.LAPSED):
        raise Conflict(f"The order is {order.state.lower()}: nothing is in doubt.")
    read = BrokerRead.objects.filter(account_id=order.account_id, kind=BrokerRead.Kind.ORDERS).first()
    if read is None or read.started_at is None or order.sent_at is None or read.started_at <= order.sent_at or read.error:
        raise Refused("The broker's order book was not read completely since it was sent: read the brokers first.")
    with transaction.atomic():
        # What was queued for approval, and turned down there, is given up in two steps along the table.
        ways = {OrderState.QUEUED: (OrderState.UNKNOWN, OrderState.LAPSED), OrderState.UNKNOWN: (OrderState.LAPSED,)}
        for to in ways.get(OrderState(order.state), ()):
            if not apply.move(order, to, why=why, actor=by):
                raise Conflict("Something else moved the order at this moment. Look again.")
        record.of_order("order.never_sent", order, actor=by, why=why)
    apply.after(order.book_id)
    wake.wake([order.account_id])
    return order


def is_this(order_id: int, broker_order_id: str, *, by: str, why: str) -> Order:
    """A person says that this broker order is ours. The next reading books what it traded."""
    order = Order.objects.select_related("book", "account").filter(pk=order_id).first()
    if order is None:
        raise Refused("There is no such order.", fields={"order": "unknown"})
    if order.state not in (OrderState.UNKNOWN, OrderState.LAPSED) or order.broker_order_id:
        raise Conflict(f"The order is {order.state.lower()} and needs no other.")
    if broker_order_id not in {row.broker_order_id for row in candidates(order)}:
        raise Refused("That is no order of its shape.", fields={"broker_order_id": "not among the unowned orders of this shape"})
    try:
        with transaction.atomic():
            versions.bump(order.book_id)
            apply.claim_row(order, broker_order_id)
            if not apply.move(order, OrderState.ACCEPTED, why=why, actor=by, is_claimed=True):
                raise Conflict("Something else moved the order at this moment. Look again.")
            record.of_order("order.identified", order, actor=by, why=why, broker_order_id=broker_order_id)
    except IntegrityError as error:
        raise Conflict("Another order owns that broker order.") from error
    apply.after(order.book_id)
    wake.wake([order.account_id])
    return order


def candidates(order: Order) -> models.QuerySet[BrokerOrder]:
    """Broker orders of that day and shape that nobody owns: what a lost order may have become."""
    return BrokerOrder.objects.filter(
        order=None,
        account_id=order.account_id,
        trading_day=order.trading_day,
        exchange=order.exchange,
        symbol=order.symbol,
        product=order.product,
        action=order.action,
        units=order.units,
    )


def thaw(book_id: int, *, by: str, why: str) -> Book:
    """Let a frozen book act again. What froze it freezes it again if it is still so."""
    book = Book.objects.select_related("run", "account").filter(pk=book_id).first()
    if book is None:
        raise Refused("There is no such book.", fields={"book": "unknown"})
    if not apply.thaw(book_id, who=by, why=why):
        raise Conflict("The book is not frozen any more.")
    apply.after(book_id)
    wake.wake([book.account_id])
    return book


def journal_row(kind: str, place: Place, by: str, key: str) -> Journal | None:
    rows = Journal.objects.filter(kind=kind, account_id=place.account_id, subject=str(place)[:80], actor=by)
    return next((row for row in rows.order_by("-id")[:50] if row.numbers.get("key") == key), None)


def _before(kind: str, place: Place, by: str, key: str) -> Book | None:
    """The book an earlier click with this key acted on."""
    row = journal_row(kind, place, by, key)
    return None if row is None or row.book_id is None else Book.objects.get(pk=row.book_id)


def _decidable(place: Place, seen: Seen) -> tuple[Compared, BrokerRead]:
    """Raises unless a recent, complete reading shows exactly what the person saw and nothing in flight explains it."""
    account = Account.objects.filter(pk=place.account_id, archived_at=None).first()
    if account is None:
        raise Refused("There is no such account.", fields={"account": "unknown"})
    read = BrokerRead.objects.filter(account=account, kind=BrokerRead.Kind.POSITIONS).first()
    if read is None or read.started_at is None or read.error or clock.now() - read.started_at > OLDEST_READ:
        raise Refused("The broker's positions were not read completely in the last five minutes: read the brokers first.")
    found = compared([account]).get((account.pk, place.instrument))
    newest = evidence.last_change(account.pk, place.instrument)
    if found is None or found.verdict is Verdict.CATCHING_UP or (newest is not None and read.started_at <= newest):
        raise Conflict("Something is in flight there or newer than the reading. Wait for the next reading.")
    if found.verdict is Verdict.AGREES:
        raise Conflict("Our books and the broker agree now.")
    if (found.owned, found.broker_units) != (seen.ours, seen.broker):
        raise Conflict(f"It changed meanwhile: ours {found.owned}, the broker's {found.broker_units}. Look again.")
    return found, read


def _adopter(place: Place, book_id: int | None) -> Book:
    if book_id is None:
        book = intents.ticket_book(Account.objects.get(pk=place.account_id))
    else:
        books = Book.objects.filter(account_id=place.account_id, kind=Book.Kind.RUN).exclude(run__state=Run.State.CLOSED)
        found = books.filter(pk=book_id).first()
        if found is None:
            raise Refused("There is no such open book in this account.", fields={"book": "not an open run of this account"})
        book = found
    # What froze at the turn of a day waits for just this where its order had filled.
    waits = book.state == Book.State.FROZEN and book.freeze_kind == earlier.DAY_CHANGE
    if book.state not in (Book.State.OPEN, Book.State.REDUCING) and not waits:
        raise Refused("The book takes nothing on.", fields={"book": f"it is {book.state.lower()}"})
    return book


def _held(book: Book | None, place: Place) -> int:
    rows = Position.objects.filter(book=book, exchange=place.exchange, symbol=place.symbol, product=place.product)
    return next(iter(rows.values_list("units", flat=True)), 0)


def _write(place: Place, book: Book, units: int, price: Decimal, *, purpose: Purpose, read: BrokerRead, by: str) -> None:
    """The order that was filled elsewhere, and its fill. One per reading: a second decision on the same one is refused."""
    contract = reference.instrument(place.exchange, place.symbol)
    if contract is None:
        raise Refused(f"{place.symbol} is not in the contract list: its lot and tick are not known.")
    now = clock.now()
    name = client_order_id(f"o{read.sequence}-{digest(str(place))[:8]}", place.account_id, 0, 0, 0)
    try:
        with transaction.atomic():
            order = Order.objects.create(
                book=book,
                account_id=place.account_id,
                client_order_id=name,
                purpose=purpose,
                leg=_leg(book, place),
                exchange=place.exchange,
                symbol=place.symbol,
                product=place.product,
                action="BUY" if units > 0 else "SELL",
                units=abs(units),
                lot_units=contract.lot_units,
                freeze_units=contract.freeze_units,
                tick=contract.tick,
                price_type="MARKET",
                decision_price=None,
                permit=None if purpose in EXITS else {"by": by, "outside": True, "read": read.sequence},
                state=OrderState.ACCEPTED,
                reason=CLOSED_WORDS if purpose in EXITS else "adopted: it was traded elsewhere",
                trading_day=clock.trading_day(now),
                created_at=now,
                acknowledged_at=now,
            )
    except IntegrityError as error:
        raise Conflict("Somebody decided on this reading already. Look again.") from error
    apply.fill(order, name, cumulative_units=abs(units), cumulative_value=abs(units) * price, source=Fill.Source.OUTSIDE)
    apply.move(order, OrderState.FILLED, why="", actor=by)


def _leg(book: Book, place: Place) -> int:
    """The leg that holds it, else a new one behind all that were ever asked for: hedges are found by leg."""
    held = Position.objects.filter(book=book).exclude(units=0)
    legs = {(p.exchange, p.symbol, p.product): p.leg for p in held}
    last: int | None = Order.objects.filter(book=book).aggregate(last=models.Max("leg"))["last"]
    return legs.get(place.instrument, (last or 0) + 1)


def _tell(kind: str, place: Place, book: Book, seen: Seen, *, by: str, key: str, units: int, price: Decimal) -> None:
    journal.record(
        kind,
        actor=by,
        why=CLOSED_WORDS if kind == CLOSED_OUTSIDE else "adopted by a person",
        subject=str(place),
        run_id=book.run_id,
        account_id=place.account_id,
        book_id=book.pk,
        key=key,
        units=units,
        price=price,
        ours=seen.ours,
        broker=seen.broker,
    )
