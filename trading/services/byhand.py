"""What a person asks for with one click: cancel this order; close this position, leg, book, account, or everything.

A key names the click. The same key again shows what the first one did; it never asks a second time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from django.db import DatabaseError, transaction

from algomirror.kernel.errors import Refused
from algomirror.ops import alarms, journal
from algomirror.ops.models import Journal
from trading.domain.orders import LIVE_STATES, Purpose
from trading.models import Book, ExitGoal, Order, Position
from trading.models.books import ExitReason
from trading.services import cancel, evidence, flatten, wake

log = logging.getLogger(__name__)

ASKED = "close.asked"


@dataclass(frozen=True, slots=True)
class Asked:
    """`goal` is None when there was nothing to close. `is_repeat`: this click was answered before."""

    goal: ExitGoal | None
    is_repeat: bool = False


def cancel_order(order_id: int, *, by: str) -> Order:
    """Ask for the cancel and return the order as it stands then. Outside any transaction.

    Needs no key: an order is asked once while its cancel is pending, and asking again after that is what the person means.
    """
    if not Order.objects.filter(pk=order_id).exists():
        raise Refused("There is no such order.", fields={"order": "unknown"})
    cancel.request(order_id, asked_by=by, why="cancelled by hand")
    return Order.objects.select_related("account", "book__run").get(pk=order_id)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one order of several: asked, or the words why not."""

    order: int
    account: str
    asked: bool
    state: str
    change_state: str
    error: str = ""


def one(order: Order) -> Outcome:
    return Outcome(order.pk, order.account.name, True, order.state, order.change_state)


def each(order_ids: Iterable[int], ask: Callable[[int], Order]) -> list[Outcome]:
    """Ask for each order alone, so that one refusal, or one that fails, stops no other. Outside any transaction."""
    found: list[Outcome] = []
    for pk in order_ids:
        try:
            found.append(one(ask(pk)))
        except Refused as refused:
            row = Order.objects.select_related("account").get(pk=pk)
            words = " ".join([refused.message, *(f"{name}: {text}." for name, text in refused.fields.items() if name != "order")])
            found.append(Outcome(pk, row.account.name, False, row.state, row.change_state, words))
        except Exception as error:
            log.exception("cannot be asked order=%s", pk)
            row = Order.objects.select_related("account").get(pk=pk)
            words = f"We failed: {type(error).__name__}. Look what became of it."
            found.append(Outcome(pk, row.account.name, False, row.state, row.change_state, words))
    return found


def siblings(order: Order, *, same_units: bool = False) -> list[int]:
    """The same part of the same ticket or run in every account, this order first: ids of those that still work or wait.

    `same_units`: refused when their quantities differ, because one quantity is meant for all of them.
    """
    scope, part = order.client_order_id.partition("-a")[0], _part(order.client_order_id)
    rows = Order.objects.filter(client_order_id__startswith=f"{scope}-a", symbol=order.symbol, action=order.action)
    live = rows.filter(state__in=[s.value for s in LIVE_STATES]).exclude(pk=order.pk).order_by("account_id")
    same = {pk: units for pk, name, units in live.values_list("pk", "client_order_id", "units") if _part(name) == part}
    if same_units and set(same.values()) - {order.units}:
        raise Refused("Nothing was asked.", fields={"units": "other accounts have other quantities: change them one by one"})
    return [order.pk, *same]


def _part(client_order_id: str) -> str:
    return client_order_id.partition("-a")[2].partition("-")[2].rpartition("-n")[0]


def close_position(position_id: int, *, by: str, key: str, units: int | None = None) -> Asked:
    """Ask that one instrument of a book be brought to flat, or made smaller by `units` of whole lots."""
    position = Position.objects.select_related("book").filter(pk=position_id).first()
    if position is None:
        raise Refused("There is no such position.", fields={"target": "unknown"})
    if position.units:
        _refuse_bare_shorts(position)
    leave = 0 if units is None else _left(position, units)
    return _close(position.book, {_target(position): leave}, by=by, key=key)


def _target(position: Position) -> str:
    return f"{position.exchange}:{position.symbol}:{position.product}"


def _left(position: Position, units: int) -> int:
    lot = evidence.terms(position.book_id, (position.exchange, position.symbol, position.product)).lot_units
    if units <= 0 or units % lot or units > abs(position.units):
        held = f"whole lots of {lot}, at most the {abs(position.units)} that are held"
        raise Refused(f"{units} units cannot be closed: {held}.", fields={"units": held})
    return abs(position.units) - units


def close_book(book_id: int, *, by: str, key: str) -> Asked:
    """Ask that everything a book holds be brought to flat."""
    book = Book.objects.filter(pk=book_id).first()
    if book is None:
        raise Refused("There is no such book.", fields={"target": "unknown"})
    return _close(book, None, by=by, key=key)


def close_leg(run_id: int, leg: int, *, by: str, key: str, account_ids: Collection[int] | None = None) -> list[Asked]:
    """Ask that one leg of a run be brought to flat in every account, or in those named. Hedges of open shorts are refused."""
    held = Position.objects.filter(book__run_id=run_id, leg=leg).exclude(units=0).select_related("book")
    if account_ids is not None:
        held = held.filter(book__account_id__in=account_ids)
    found = list(held.order_by("book__account_id"))
    for position in found:
        _refuse_bare_shorts(position)
    books = {position.book_id: position.book for position in found}
    targets = {pk: {_target(p): 0 for p in found if p.book_id == pk} for pk in books}
    return _close_each(books.values(), targets, by=by, key=key)


def close_instrument(
    run_id: int,
    instrument: str,
    *,
    by: str,
    key: str,
    account_ids: Collection[int] | None = None,
    units: int | None = None,
) -> list[Asked]:
    """Ask that "EXCHANGE:SYMBOL" of a run be brought to flat in every account, or in those named; or be made smaller by
    `units` of whole lots in each. Refused for all when one of them cannot. Hedges of open shorts are refused.
    """
    exchange, _, symbol = instrument.partition(":")
    held = Position.objects.filter(book__run_id=run_id, exchange=exchange, symbol=symbol).exclude(units=0)
    if account_ids is not None:
        held = held.filter(book__account_id__in=account_ids)
    found = list(held.select_related("book").order_by("book__account_id", "pk"))
    if not found:
        raise Refused("Nothing was asked.", fields={"instrument": "nothing of it is held"})
    targets: dict[int, dict[str, int]] = {}
    for position in found:
        _refuse_bare_shorts(position)
        targets.setdefault(position.book_id, {})[_target(position)] = 0 if units is None else _left(position, units)
    books = {position.book_id: position.book for position in found}
    return _close_each(books.values(), targets, by=by, key=key)


def close_accounts(account_ids: Collection[int], *, by: str, key: str) -> list[Asked]:
    """Ask that every book of these accounts that holds or awaits anything be brought to flat. What is outside stays.

    Entries of these books end with it; a new run or ticket is not forbidden by this: that is the kill switch.
    """
    books = Book.objects.filter(account_id__in=account_ids).exclude(state=Book.State.FLAT).order_by("account_id", "pk")
    return [asked for asked in _close_each(books, {}, by=by, key=key) if asked.goal is not None]


def _close_each(books: Iterable[Book], targets: Mapping[int, Mapping[str, int]], *, by: str, key: str) -> list[Asked]:
    """Each book alone, wholly where it has no targets: one that cannot be asked rings and keeps no other in. Raises when none
    could be asked."""
    found: list[Asked] = []
    failed: list[Exception] = []
    for book in books:
        try:
            found.append(_close(book, targets.get(book.pk), by=by, key=key))
        except Exception as error:
            log.exception("exit not asked book=%s", book.pk)
            failed.append(error)
            _ring(book, error)
    if failed and not found:
        raise failed[0]
    return found


def _ring(book: Book, error: Exception) -> None:
    text = f"{book} cannot be asked to leave: {type(error).__name__}: {error}"
    try:
        alarms.ring("EXIT_NOT_ASKED", text, key=f"book:{book.pk}", run_id=book.run_id, account_id=book.account_id)
    except DatabaseError:
        log.exception("alarm not stored book=%s", book.pk)


def _close(book: Book, targets: Mapping[str, int] | None, *, by: str, key: str) -> Asked:
    with transaction.atomic():
        before = Journal.objects.filter(kind=ASKED, book_id=book.pk, subject=key, actor=by).first()
        if before is not None:
            return Asked(ExitGoal.objects.filter(pk=before.numbers.get("goal")).first(), is_repeat=True)
        goal = flatten.request(book.pk, reason=ExitReason.MANUAL, asked_by=by, why="closed by hand", targets=targets)
        journal.record(
            ASKED,
            actor=by,
            why="closed by hand",
            subject=key,
            run_id=book.run_id,
            account_id=book.account_id,
            book_id=book.pk,
            goal=None if goal is None else goal.pk,
            targets=targets,
        )
    wake.wake([book.account_id])
    return Asked(goal)


def _refuse_bare_shorts(position: Position) -> None:
    """A hedge whose shorts are open is not sold: alone it would wait for them until a person is called."""
    if position.units < 0:
        return
    hedges = Order.objects.filter(book_id=position.book_id, purpose=Purpose.HEDGE, attempt=0)
    held = list(Position.objects.filter(book_id=position.book_id).exclude(units=0))
    covered = evidence.covers(position.book, held, hedges).get(position.leg, [])
    shorts = Position.objects.filter(book_id=position.book_id, units__lt=0, leg__in=covered)
    if names := sorted(shorts.values_list("symbol", flat=True)):
        raise Refused(f"{position.symbol} covers {', '.join(names)}: close that first, or the whole book.")
