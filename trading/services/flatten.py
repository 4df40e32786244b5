"""The only exit routine. Every trigger asks here; one driver works the goal until fills prove the book flat."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import takewhile
from typing import Any

from django.conf import settings
from django.db import IntegrityError, models, transaction

from algomirror.kernel import clock
from algomirror.kernel.ids import client_order_id
from algomirror.ops import hooks, journal
from marketdata import quotes
from trading.domain import exits
from trading.domain.orders import LIVE_STATES, OrderState, Purpose
from trading.domain.prices import is_future, ladder_price
from trading.models import Book, ExitGoal, Order, Position
from trading.models.books import ExitReason
from trading.services import apply, cancel, evidence, halt, record, submit, wake

log = logging.getLogger(__name__)

S = OrderState
MISSING_PATIENCE = timedelta(seconds=3)
BACK_OFF_S = (1, 2, 4, 8)
ENGINE = "engine:exits"


def request(
    book_id: int,
    *,
    reason: str,
    asked_by: str,
    why: str = "",
    numbers: Mapping[str, Any] | None = None,
    targets: Mapping[str, int] | None = None,
) -> ExitGoal | None:
    """Ask that the book be brought to flat (or `targets`: "EXCHANGE:SYMBOL:PRODUCT" → units to leave open).

    Idempotent: a repeat returns the open goal, a wider request widens it. None when there is nothing to close and nothing
    that could still fill. May be called inside a transaction; the goal is durable with it.
    """
    with transaction.atomic():
        book = Book.objects.get(pk=book_id)
        open_goal = ExitGoal.objects.filter(book=book).exclude(state=ExitGoal.State.DONE).first()
        if open_goal is None and not _anything_to_close(book_id):
            return None
        if open_goal is None:
            try:
                with transaction.atomic():
                    goal = _create(book, reason, asked_by, why, numbers, targets)
            except IntegrityError:
                goal = ExitGoal.objects.exclude(state=ExitGoal.State.DONE).get(book=book)
                _widen(goal, book, targets, asked_by, why)
        else:
            goal = open_goal
            _widen(goal, book, targets, asked_by, why)
        apply.after(book_id)
        wake.wake([book.account_id])
    return goal


def _anything_to_close(book_id: int) -> bool:
    may_fill = [s.value for s in LIVE_STATES | {S.INITIALIZED}]
    return (
        Position.objects.filter(book_id=book_id).exclude(units=0).exists()
        or Order.objects.filter(book_id=book_id, state__in=may_fill).exists()
    )


def _create(
    book: Book, reason: str, asked_by: str, why: str, numbers: Mapping[str, Any] | None, targets: Mapping[str, int] | None
) -> ExitGoal:
    goal = ExitGoal.objects.create(
        book=book,
        targets=dict(targets) if targets is not None else None,
        reason=reason,
        why=why[:500],
        numbers=journal.plain(numbers or {}),
        asked_by=asked_by,
        requested_at=clock.now(),
    )
    if targets is None:
        _exiting(book)
    apply.bump(book.pk)
    record.of_book(
        "exit.requested", book, actor=asked_by, why=why, subject=reason, goal=goal.pk, targets=targets, **(numbers or {})
    )
    return goal


def _exiting(book: Book) -> None:
    """No more additions. A frozen book stays frozen; it will go on exiting when it thaws."""
    if book.state == Book.State.FROZEN:
        Book.objects.filter(pk=book.pk, state=Book.State.FROZEN).update(frozen_from=Book.State.EXITING)
    else:
        Book.objects.filter(pk=book.pk).exclude(state=Book.State.FROZEN).update(state=Book.State.EXITING)


def _widen(goal: ExitGoal, book: Book, targets: Mapping[str, int] | None, asked_by: str, why: str) -> None:
    if goal.targets is None:
        return
    merged: dict[str, int] | None = None
    if targets is not None:
        merged = dict(goal.targets)
        for key, leave in targets.items():
            merged[key] = min(leave, merged.get(key, leave))
        if merged == goal.targets:
            return
    apply.bump(book.pk)
    ExitGoal.objects.filter(pk=goal.pk).update(targets=merged)
    goal.targets = merged
    if merged is None:
        _exiting(book)
    record.of_book("exit.widened", book, actor=asked_by, why=why, goal=goal.pk, targets=merged)


# --- driving -----------------------------------------------------------------------------------


def drive(goal_id: int) -> bool:
    """One pass. True while the goal is open. Safe from several workers: every act is claimed on the book's version."""
    goal = ExitGoal.objects.select_related("book", "book__account").get(pk=goal_id)
    if goal.state == ExitGoal.State.DONE:
        return False
    book = goal.book
    if book.state == Book.State.FROZEN:
        _try_to_thaw(book)
        return True
    _drop_stale_intents(goal)
    # The version is read before the facts: whatever changes after this line makes the claim below fail.
    book.refresh_from_db(fields=["version"])
    goal.refresh_from_db(fields=["attempts", "targets"])
    facts = evidence.facts(goal, clock.now())
    todo = exits.steps(facts)
    if todo == [exits.Done()]:
        return not _finish(goal, book)
    _escalate(goal, book)
    ready = goal.not_before is None or goal.not_before <= facts.now
    asks = [s for s in todo if isinstance(s, exits.Exit) and not _backs_off(goal, s, facts.now)]
    if hooks.call("is_halted", book.account_id):
        # We distrust our own picture of this account: nothing but cancels goes out until a person releases it.
        asks = []
    orders = _write_exits(goal, book, asks) if ready else []
    for step in todo:
        match step:
            case exits.Deny(order_id=order_id):
                cancel.request(order_id, asked_by=ENGINE, why="the book is being closed")
            case exits.Cancel(order_id=order_id, why=why):
                cancel.request(order_id, asked_by=ENGINE, why=why)
    for order in orders:
        _send(goal, order)
    _watch(goal, book, [s.why for s in todo if isinstance(s, exits.Wait)])
    return True


def _watch(goal: ExitGoal, book: Book, waits: list[str]) -> None:
    if "missing" in waits:
        _dispute(goal, book)
    elif goal.missing_since:
        ExitGoal.objects.filter(pk=goal.pk).update(missing_since=None)
    if "lapsed" in waits:
        halt.account(
            book.account_id, why=f"{book}: an order was lost and the broker's books do not explain it; a person must look"
        )


def _drop_stale_intents(goal: ExitGoal) -> None:
    """Exit rows of an earlier pass that never left: their price is old and their quantity would be counted twice."""
    for order in Order.objects.filter(goal=goal, state=S.INITIALIZED):
        with transaction.atomic():
            apply.move(order, S.DENIED, why="never sent, asked anew")


def _backs_off(goal: ExitGoal, ask: exits.Exit, now: datetime) -> bool:
    """After rejections in a row the same instrument waits 1, 2, 4, 8 s; whether the reply or the book said so."""
    exchange, symbol, product = ask.instrument
    sent = Order.objects.filter(goal=goal, exchange=exchange, symbol=symbol, product=product, sent_at__isnull=False)
    newest = sent.order_by("-id").values_list("state", "finished_at")[: len(BACK_OFF_S)]
    rejected = [ended for _, ended in takewhile(lambda row: row[0] == S.REJECTED, newest) if ended is not None]
    return bool(rejected) and now < rejected[0] + timedelta(seconds=BACK_OFF_S[len(rejected) - 1])


def _write_exits(goal: ExitGoal, book: Book, asks: list[exits.Exit]) -> list[Order]:
    """Rows for all exits of this pass, claimed on the version the decision was read at; none when the book has moved on."""
    if not asks:
        return []
    now = clock.now()
    priced = [_priced(goal, book, ask) for ask in asks]
    with transaction.atomic():
        if not Book.objects.filter(pk=book.pk, version=book.version).update(version=models.F("version") + 1):
            return []
        ExitGoal.objects.filter(pk=goal.pk).update(attempts=models.F("attempts") + len(asks), state=ExitGoal.State.WORKING)
        return [_write_exit(goal, book, priced[n], goal.attempts + n + 1, now) for n in range(len(asks))]


@dataclass(frozen=True, slots=True)
class Priced:
    ask: exits.Exit
    price: Decimal
    terms: evidence.Terms
    decision_price: Decimal | None
    numbers: dict[str, Any]


def _priced(goal: ExitGoal, book: Book, ask: exits.Exit) -> Priced:
    exchange, symbol, product = ask.instrument
    key = f"{exchange}:{symbol}"
    now = clock.now()
    fresh = quotes.fresh([key], now).get(key)
    terms = evidence.terms(book.pk, ask.instrument)
    position = Position.objects.get(book=book, exchange=exchange, symbol=symbol, product=product)
    last_known = evidence.last_known_price(key, position)
    rung = Order.objects.filter(goal=goal, exchange=exchange, symbol=symbol, state__in=[S.CANCELED, S.LAPSED]).count()
    future = is_future(symbol)
    price = ladder_price(ask.action, terms.tick, step=rung, fresh=fresh, last_known=last_known, future=future)
    numbers = {
        "rung": rung,
        "last_price": fresh.last_price if fresh else None,
        "quote_age_s": round(fresh.age_s(now), 3) if fresh else None,
        "last_known": last_known,
    }
    return Priced(ask, price, terms, fresh.deciding_price if fresh else None, numbers)


def _write_exit(goal: ExitGoal, book: Book, priced: Priced, attempt: int, now: datetime) -> Order:
    ask = priced.ask
    exchange, symbol, product = ask.instrument
    order = Order.objects.create(
        book=book,
        account_id=book.account_id,
        goal=goal,
        client_order_id=client_order_id(f"g{goal.pk}", book.account_id, ask.leg, 0, attempt),
        purpose=Purpose.UNWIND if goal.reason == ExitReason.ENTRY_ABORTED else Purpose.EXIT,
        leg=ask.leg,
        attempt=attempt,
        exchange=exchange,
        symbol=symbol,
        product=product,
        action=ask.action,
        units=ask.units,
        lot_units=priced.terms.lot_units,
        freeze_units=priced.terms.freeze_units,
        tick=priced.terms.tick,
        price_type="LIMIT",
        price=priced.price,
        protected=True,
        decision_price=priced.decision_price,
        trading_day=clock.trading_day(now),
        created_at=now,
    )
    record.of_order(
        "exit.order",
        order,
        actor=ENGINE,
        why=goal.reason,
        action=ask.action,
        symbol=symbol,
        units=ask.units,
        price=priced.price,
        **priced.numbers,
    )
    return order


def _send(goal: ExitGoal, order: Order) -> None:
    outcome = submit.send(order.pk, still=evidence.has_room)
    order.refresh_from_db(fields=["state", "reason"])
    if order.state == S.REJECTED:
        ExitGoal.objects.filter(pk=goal.pk).update(rejections=models.F("rejections") + 1)
    elif outcome == "sent":
        ExitGoal.objects.filter(pk=goal.pk).update(rejections=0, not_before=None)
        ExitGoal.objects.filter(pk=goal.pk, first_sent_at=None).update(first_sent_at=clock.now())
    elif outcome == "not sent":
        ExitGoal.objects.filter(pk=goal.pk).update(not_before=clock.now() + timedelta(seconds=1))


def _finish(goal: ExitGoal, book: Book) -> bool:
    """DONE, if nothing happened to the book since the facts were read."""
    with transaction.atomic():
        if not Book.objects.filter(pk=book.pk, version=book.version).update(version=models.F("version") + 1):
            return False
        now = clock.now()
        if (
            not ExitGoal.objects.filter(pk=goal.pk)
            .exclude(state=ExitGoal.State.DONE)
            .update(state=ExitGoal.State.DONE, done_at=now)
        ):
            return True
        flat = not Position.objects.filter(book=book).exclude(units=0).exists()
        if goal.targets is None:
            ticket = book.kind == Book.Kind.TICKET
            Book.objects.filter(pk=book.pk, state=Book.State.EXITING).update(
                state=Book.State.OPEN if ticket else Book.State.FLAT, flat_at=now if flat else None
            )
        record.of_book(
            "exit.done",
            book,
            actor=ENGINE,
            why=goal.reason,
            goal=goal.pk,
            orders=goal.attempts,
            seconds=round((now - goal.requested_at).total_seconds(), 3),
        )
        apply.after(book.pk)
    return True


def _escalate(goal: ExitGoal, book: Book) -> None:
    waited = round((clock.now() - goal.requested_at).total_seconds(), 1)
    if waited > settings.EXIT_STUCK_S:
        stuck = ExitGoal.objects.filter(pk=goal.pk, state__in=["REQUESTED", "WORKING"]).update(state=ExitGoal.State.STUCK)
        if stuck:
            record.of_book("exit.stuck", book, actor=ENGINE, why=goal.reason, goal=goal.pk, waited_s=waited)
        record.ring_book("EXIT_STUCK", f"{goal} is still open after {waited:.0f} s", book, key=goal.pk)
    elif waited > settings.EXIT_SLOW_S:
        record.ring_book("EXIT_SLOW", f"{goal} takes {waited:.0f} s", book, key=goal.pk)


def _dispute(goal: ExitGoal, book: Book) -> None:
    """The broker does not show what we own: nothing is sent; after a short patience the book freezes."""
    now = clock.now()
    if goal.missing_since is None:
        ExitGoal.objects.filter(pk=goal.pk, missing_since=None).update(missing_since=now)
    elif now - goal.missing_since > MISSING_PATIENCE:
        apply.freeze(book.pk, kind="MISSING", why="the broker does not show the position our fills prove; confirm what closed it")


def _try_to_thaw(book: Book) -> None:
    if book.freeze_kind == "MISSING" and evidence.agrees_again(book):
        apply.thaw(book.pk, who=ENGINE, why="two complete position reads in a row show our position again")
