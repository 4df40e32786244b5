"""Turning a plan's lines into a book with order rows. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from accounts.models import Account
from algomirror.kernel import clock
from algomirror.kernel.ids import client_order_id
from algomirror.kernel.money import Action
from algomirror.ops import journal, prepared
from trading.domain.plan import slices
from trading.models import Book, Order, Run

prepared.will_insert(Book, Order)
_books_of = prepared.Prepared(lambda run: Book.objects.filter(run_id=run))


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One leg on one account, as planned. `units` before slicing; prices on tick; `permit` is the gate's written yes."""

    leg: int
    purpose: str  # HEDGE or ENTRY
    exchange: str
    symbol: str
    product: str
    action: Action
    units: int
    lot_units: int
    tick: Decimal
    freeze_units: int | None
    price_type: str
    price: Decimal
    trigger_price: Decimal
    protected: bool
    decision_price: Decimal | None
    permit: dict[str, Any]
    # On a hedge: the short legs it covers. On a short: the hedge legs it waits for.
    hedge_legs: list[int] = field(default_factory=list)


def open_run_books(
    *,
    run: Run,
    lines: Mapping[Account, Sequence[EntryLine]],
    hedge_wait_s: float,
    entry_until: datetime | None,
    actor: str,
) -> list[Book]:
    """The run's book on each of these accounts with all its entry orders, INITIALIZED. Inside the caller's transaction."""
    now = clock.now()
    terms = {"kind": Book.Kind.RUN.value, "run_id": run.pk, "hedge_wait_s": hedge_wait_s, "entry_until": entry_until}
    prepared.insert_named(
        Book, [{**terms, "account_id": account.pk, "mode": account.mode, "opened_at": now} for account in lines]
    )
    of_account = {book.account_id: book for book in _books_of(run.pk)}
    books, orders = [], []
    for account, wanted in lines.items():
        book = of_account[account.pk]
        journal.record("book.opened", actor=actor, run_id=run.pk, account_id=account.pk, book_id=book.pk, legs=len(wanted))
        books.append(book)
        orders += _orders(book, f"r{run.pk}", wanted, now)
    prepared.insert_named(Order, orders)
    return books


def ticket_book(account: Account) -> Book:
    """The account's book for orders made by hand in its mode. What was traded in the other mode stays in that one's."""
    book, _ = Book.objects.get_or_create(
        kind=Book.Kind.TICKET, account=account, mode=account.mode, defaults={"opened_at": clock.now()}
    )
    return book


def add_ticket_orders(*, account: Account, lines: Sequence[EntryLine], scope: str, actor: str) -> None:
    """Orders of one ticket in the account's ticket book. `scope` is unique per ticket ("t<plan>")."""
    book = ticket_book(account)
    journal.record("ticket", actor=actor, account_id=account.pk, book_id=book.pk, subject=scope, legs=len(lines))
    prepared.insert_named(Order, _orders(book, scope, lines, clock.now()))


def _orders(book: Book, scope: str, lines: Sequence[EntryLine], now: datetime) -> list[dict[str, Any]]:
    day = clock.trading_day(now)
    return [
        {
            "book_id": book.pk,
            "account_id": book.account_id,
            "client_order_id": client_order_id(scope, book.account_id, line.leg, slice_no, 0),
            "purpose": line.purpose,
            "leg": line.leg,
            "slice_no": slice_no,
            "hedge_legs": line.hedge_legs,
            "exchange": line.exchange,
            "symbol": line.symbol,
            "product": line.product,
            "action": line.action,
            "units": units,
            "lot_units": line.lot_units,
            "tick": line.tick,
            "freeze_units": line.freeze_units,
            "price_type": line.price_type,
            "price": line.price,
            "trigger_price": line.trigger_price,
            "protected": line.protected,
            "decision_price": line.decision_price,
            "permit": line.permit,
            "trading_day": day,
            "created_at": now,
        }
        for line in lines
        for slice_no, units in enumerate(slices(line.units, line.lot_units, line.freeze_units))
    ]
