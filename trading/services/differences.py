"""Sum of our books against the broker's net. Compared, never copied: a difference stops additions and calls a person."""

from __future__ import annotations

from django.db import models, transaction
from django.db.models import Sum

from accounts.gateway.reports import BookPosition, Read
from accounts.models import Account
from algomirror.kernel import clock
from algomirror.ops import alarms
from algomirror.ops.prepared import Prepared
from trading.domain.orders import LIVE_STATES
from trading.domain.reconcile import Difference, Instrument, compare
from trading.models import Book, Order, Position
from trading.services import evidence, record

ENGINE = "engine:reconcile"
BY_DIFFERENCE = "DIFFERENCE"

_owned = Prepared(
    lambda account: (
        Position.objects.filter(book__account_id=account)
        .exclude(units=0)
        .values_list("exchange", "symbol", "product")
        .annotate(total=Sum("units"))
        .order_by("exchange", "symbol", "product")
    )
)
_reduced = Prepared(lambda account: Book.objects.filter(account_id=account, state=Book.State.REDUCING, freeze_kind=BY_DIFFERENCE))


def check(account: Account, read: Read[list[BookPosition]]) -> list[Difference]:
    """Act on what one complete position read says; returns the differences, also those only outside our books."""
    owned = owned_by_instrument(account.pk)
    broker: dict[Instrument, int] = {}
    for row in read.value:
        key = (row.exchange, row.symbol, row.product)
        broker[key] = broker.get(key, 0) + row.units
    found = compare(owned, broker)
    unbacked = [d for d in found if d.instrument in owned and _is_settled(account.pk, d.instrument, read)]
    _reduce(account, unbacked)
    _restore(account, {d.instrument for d in found})
    return found


def owned_by_instrument(account_id: int) -> dict[Instrument, int]:
    """The sum of our books of each instrument that one of them holds: 0 where they hold as much either way."""
    return {(e, s, p): total for e, s, p, total in _owned(account_id)}


def _is_settled(account_id: int, instrument: Instrument, read: Read[list[BookPosition]]) -> bool:
    """Nothing in flight and nothing newer than the read explains the difference."""
    exchange, symbol, product = instrument
    mine = Order.objects.filter(account_id=account_id, exchange=exchange, symbol=symbol, product=product)
    # What an earlier day left unfinished is in flight no more.
    live = mine.filter(state__in=[s.value for s in LIVE_STATES], trading_day=clock.trading_day()).exists()
    newest = evidence.last_change(account_id, instrument)
    return not live and (newest is None or read.started_at > newest)


def _holding(account_id: int, instrument: Instrument) -> models.QuerySet[Book]:
    exchange, symbol, product = instrument
    ids = Position.objects.filter(book__account_id=account_id, exchange=exchange, symbol=symbol, product=product).exclude(units=0)
    return Book.objects.filter(pk__in=ids.values_list("book_id", flat=True))


def _reduce(account: Account, differences: list[Difference]) -> None:
    for d in differences:
        for book in _holding(account.pk, d.instrument):
            with transaction.atomic():
                moved = Book.objects.filter(pk=book.pk, state=Book.State.OPEN).update(
                    state=Book.State.REDUCING, freeze_kind=BY_DIFFERENCE, version=models.F("version") + 1
                )
                if moved:
                    record.of_book(
                        "book.difference",
                        book,
                        actor=ENGINE,
                        moved=("OPEN", "REDUCING"),
                        why="the broker's net is not the sum of our books",
                        instrument=":".join(d.instrument),
                        owned=d.owned,
                        broker=d.broker,
                    )
        key = f"{account.pk}:{':'.join(d.instrument)}"
        alarms.ring(
            "RECONCILE_DIFF",
            f"{account.name} {d.instrument[1]}: our books own {d.owned}, the broker shows {d.broker}",
            key=key,
            account_id=account.pk,
            owned=d.owned,
            broker=d.broker,
        )


def _restore(account: Account, differing: set[Instrument]) -> None:
    """A book that a difference reduced, and whose instruments all agree again, may be added to again.

    What a person reduced stays so until a person says otherwise.
    """
    for book in _reduced(account.pk):
        held = {(p.exchange, p.symbol, p.product) for p in Position.objects.filter(book=book).exclude(units=0)}
        if held & differing:
            continue
        with transaction.atomic():
            moved = Book.objects.filter(pk=book.pk, state=Book.State.REDUCING, freeze_kind=BY_DIFFERENCE).update(
                state=Book.State.OPEN, freeze_kind="", version=models.F("version") + 1
            )
            if moved:
                record.of_book("book.agrees", book, actor=ENGINE, moved=("REDUCING", "OPEN"))
