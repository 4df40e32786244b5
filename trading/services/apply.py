"""The only writer of order states, fills and positions.

Every function here is one short transaction: it claims the book's version, moves rows by compare-and-set along the table
of moves, and journals what it did. Applying the same news twice changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from decimal import Decimal
from functools import cache
from typing import Any

from django.db import IntegrityError, models, transaction

from algomirror.kernel import clock
from algomirror.kernel.errors import IllegalMove
from algomirror.ops import journal, prepared
from algomirror.ops.prepared import Prepared, PreparedUpdate
from trading.domain import reconcile as truth
from trading.domain.orders import EXITS, FINAL, MOVES, OrderState, Purpose, check_move, is_late_truth
from trading.domain.positions import Traded
from trading.models import Book, Order
from trading.services import again, halt, record, terms, together, versions, wake

log = logging.getLogger(__name__)

S = OrderState
ENGINE = "engine:orders"
MOST_COUNTED = 1000

_orders = Prepared(lambda order: Order.objects.select_related("book").filter(pk=order))
_name_it = PreparedUpdate(lambda order: Order.objects.filter(pk=order, broker_order_id=""), ["broker_order_id"])
_fill = PreparedUpdate(
    lambda order, filled: Order.objects.filter(pk=order, filled_units=filled), ["filled_units", "filled_value"]
)


@cache
def _mover(names: tuple[str, ...]) -> PreparedUpdate:
    return PreparedUpdate(lambda order, state: Order.objects.filter(pk=order, state=state), ["state", *names])


def move(order: Order, to: OrderState, *, why: str, actor: str = ENGINE, is_claimed: bool = False, **fields: Any) -> bool:
    """One step along the table, inside the caller's transaction. False when another worker moved the order first.

    `is_claimed`: this transaction has raised the book's version already. Raises IllegalMove when the table does not lead there.
    """
    old = OrderState(order.state)
    check_move(old, to)
    # Standing still claims nothing: else the second of two senders would find its order SUBMITTED and "win" it again.
    if old == to and (to not in MOVES[old] or not fields):
        return False
    now = clock.now()
    if to in FINAL:
        fields.setdefault("finished_at", now)
    if to in (S.ACCEPTED, S.PARTIALLY_FILLED, S.FILLED) and order.acknowledged_at is None:
        fields.setdefault("acknowledged_at", now)
    late = is_late_truth(old, to)
    if late and to not in FINAL:
        fields |= {"finished_at": None, "revived_at": now}
    if why and (late or to in (S.REJECTED, S.CANCELED, S.DENIED, S.LAPSED, S.UNKNOWN, S.INITIALIZED)):
        fields.setdefault("reason", (f"it was held for {old}: {why}" if late else why)[:300])
    if not is_claimed:
        versions.bump(order.book_id)
    if not together.say(order, {"state": to, **fields}) and not _mover(tuple(fields))(order.pk, old, to, *fields.values()):
        return False
    order.state = to
    for name, value in fields.items():
        setattr(order, name, value)
    record.of_order(
        "order.late" if late else "order",
        order,
        actor=actor,
        moved=(old, to),
        why=why,
        units=order.units,
        filled=order.filled_units,
        broker_order_id=order.broker_order_id,
    )
    if late:
        record.ring_order("LATE_ORDER", f"{old} turned {to} ({why})", order)
    elif to is S.LAPSED:
        record.ring_order("ORDER_LAPSED", f"lost: {why}; an entry is not sent again by itself", order)
    elif to is S.REJECTED and Purpose(order.purpose) in EXITS:
        record.ring_book("EXIT_REJECTED", f"{order}: {why}", order.book, key=order.goal_id)
    elif why == truth.NO_EFFECT and (words := again.after_no_effect(order)):
        record.ring_order("ORDER_CANCEL_NO_EFFECT", f"it still works at the broker; {words}", order)
    return True


def born_sent(orders: list[Order]) -> list[Order]:
    """Write new orders that go on the wire next: their rows begin as SUBMITTED, in the caller's transaction."""
    for order in orders:
        order.state = S.SUBMITTED
        prepared.insert(order)
    return orders


def changes(account_id: int, found: Sequence[truth.Change], orders: Mapping[int, Order], *, mirrored: Callable[[], None]) -> int:
    """Carry out what reconciliation proved of these `orders`, as they were when it looked: all of it in one transaction, or,
    when one change is impossible, each alone, so that one bad order holds up no other.

    `mirrored` keeps what the broker showed. Returns how many rows moved. An illegal move freezes that book and alarms.
    """
    try:
        with transaction.atomic(), journal.together():
            # Books before rows, as everywhere.
            for book_id in sorted({orders[change.order_id].book_id for change in found}):
                versions.bump(book_id)
            mirrored()
            with together.written() if _are_plain(found) else nullcontext():
                moved = [_carry_out(account_id, change, orders[change.order_id]) for change in found]
    except (IllegalMove, IntegrityError):
        mirrored()
        moved = [_carry_out_alone(account_id, orders[change.order_id].book_id, change) for change in found]
    books = [book_id for book_id in moved if book_id is not None]
    for book_id in set(books):
        after(book_id)
    return len(books)


def _are_plain(found: Sequence[truth.Change]) -> bool:
    return all(isinstance(change, (truth.Move, truth.Traded)) for change in found)


def _carry_out_alone(account_id: int, book_id: int, change: truth.Change) -> int | None:
    try:
        with transaction.atomic():
            versions.bump(book_id)
            return _carry_out(account_id, change, get(change.order_id))
    except (IllegalMove, IntegrityError) as error:
        freeze(book_id, kind="ILLEGAL", why=str(error))
        return None


def _carry_out(account_id: int, change: truth.Change, order: Order) -> int | None:
    """One change, its book's version already raised. The book when something moved."""
    match change:
        case truth.Adopt(broker_order_id=broker_order_id):
            if order.broker_order_id:
                return None
            claim_row(order, broker_order_id)
            why = "the only unclaimed order of its shape since it was sent"
            record.of_order("order.adopted", order, actor=ENGINE, why=why, broker_order_id=broker_order_id)
        case truth.Move(to=to, why=why):
            if not move(order, to, why=why, is_claimed=True):
                return None
        case truth.Traded(broker_order_id=broker_order_id, units=units, value=value):
            if not fill(order, broker_order_id, cumulative_units=units, cumulative_value=value, is_claimed=True):
                return None
        case truth.Modified():
            if not terms.take(order, change):
                return None
        case truth.Unmodified():
            if not terms.keep(order, change):
                return None
        case truth.Missed():
            # A number that only has to be large enough must not grow out of its column in a long day.
            few = Order.objects.filter(pk=order.pk, missing_reads__lt=MOST_COUNTED)
            few.update(missing_reads=models.F("missing_reads") + 1)
            return None
        case truth.Strange(word=word, works=works):
            Order.objects.filter(pk=order.pk).update(strange_word=word)
            taken = "it may be working" if works else f"it stays {order.state}"
            record.ring_order("ORDER_WORD_UNKNOWN", f"the broker calls it “{word}”, unknown to us: {taken}; look there", order)
            return None
        case truth.Freeze(book_id=book_id, why=why):
            freeze(book_id, kind="AMBIGUOUS", why=f"{order}: {why}")
        case truth.Odd(kind=kind, why=why):
            record.ring_order(kind, why, order)
            if kind == "OVERFILL":
                halt.account(account_id, why=f"{order}: {why}")
            return None
    return order.book_id


def fill(
    order: Order,
    broker_order_id: str,
    *,
    cumulative_units: int,
    cumulative_value: Decimal,
    source: str = "TRADE_BOOK",
    is_claimed: bool = False,
) -> bool:
    """Book what traded beyond what is known. Cumulative: the larger number wins, nothing is ever added twice.

    `is_claimed`: this transaction has raised the book's version already.
    """
    units = cumulative_units - order.filled_units
    if units <= 0:
        return False
    value = cumulative_value - order.filled_value
    if not is_claimed:
        versions.bump(order.book_id)
    filled = {"filled_units": cumulative_units, "filled_value": cumulative_value}
    if not together.say(order, filled) and not _fill(order.pk, order.filled_units, *filled.values()):
        return False
    row = {
        "order_id": order.pk,
        "book_id": order.book_id,
        "account_id": order.account_id,
        "trading_day": order.trading_day,
        "broker_order_id": broker_order_id,
        "cumulative_units": cumulative_units,
        "units": units,
        "value": value,
        "exchange": order.exchange,
        "symbol": order.symbol,
        "product": order.product,
        "action": order.action,
        "leg": order.leg,
        "source": source,
        "first_seen_at": clock.now(),
    }
    order.filled_units, order.filled_value = cumulative_units, cumulative_value
    together.book(row, order, Traded("BUY" if order.action == "BUY" else "SELL", units, value))
    price = (value / units).quantize(Decimal("0.0001"))
    record.of_order(
        "fill",
        order,
        actor=ENGINE,
        action=order.action,
        symbol=order.symbol,
        units=units,
        price=price,
        cumulative=cumulative_units,
    )
    if OrderState(order.state) in (S.CANCELED, S.REJECTED, S.LAPSED):
        record.ring_order("LATE_FILL", f"{units} units traded after it was {order.state}", order)
    return True


def freeze(book_id: int, *, kind: str, why: str) -> None:
    """Nothing is sent for this book until a person decides (or, for MISSING, the evidence agrees again)."""
    with transaction.atomic():
        book = Book.objects.get(pk=book_id)
        if book.state == Book.State.FROZEN:
            _freeze_harder(book, kind, why)
            return
        frozen = Book.objects.filter(pk=book_id, state=book.state).update(
            state=Book.State.FROZEN,
            freeze_kind=kind,
            frozen_why=why[:300],
            frozen_from=book.state,
            agreed_read=None,
            version=models.F("version") + 1,
        )
        if frozen:
            record.of_book("book.frozen", book, actor=ENGINE, why=why, moved=(book.state, "FROZEN"))
            record.ring_book("BOOK_FROZEN", f"{book} is frozen: {why}", book)


def _freeze_harder(book: Book, kind: str, why: str) -> None:
    """A reason that wants a person outlives MISSING, which thaws by itself."""
    if kind == "MISSING":
        return
    harder = Book.objects.filter(pk=book.pk, state=Book.State.FROZEN, freeze_kind="MISSING").update(
        freeze_kind=kind, frozen_why=why[:300], version=models.F("version") + 1
    )
    if harder:
        record.of_book("book.frozen", book, actor=ENGINE, why=why, moved=("FROZEN", "FROZEN"))
        record.ring_book("BOOK_FROZEN", f"{book} stays frozen: {why}", book)


def thaw(book_id: int, *, who: str, why: str) -> bool:
    """Back to what it was before it froze."""
    with transaction.atomic():
        book = Book.objects.get(pk=book_id)
        back_to = book.frozen_from or Book.State.OPEN
        done = Book.objects.filter(pk=book_id, state=Book.State.FROZEN).update(
            state=back_to, freeze_kind="", frozen_why="", frozen_from="", version=models.F("version") + 1
        )
        if done:
            record.of_book("book.thawed", book, actor=who, why=why, moved=("FROZEN", back_to))
    return bool(done)


def after(book_id: int) -> None:
    """Tell who waits for news of this book: its run, the browsers, the worker that drives it."""
    wake.book_changed(book_id)


def claim_row(order: Order, broker_order_id: str) -> None:
    """Tie a broker order to ours, its book's version already raised; the database refuses a second owner."""
    _name_it(order.pk, broker_order_id)
    order.broker_order_id = broker_order_id
    together.own(order)


def get(order_id: int) -> Order:
    return _orders.one(order_id)
