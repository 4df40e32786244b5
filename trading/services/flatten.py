"""The only exit routine. Every trigger asks here; one driver works the goal until fills prove the book flat."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.db.models import Q

from accounts.gateway.reports import Verdict
from algomirror.kernel import clock
from algomirror.kernel.ids import client_order_id
from algomirror.ops import hooks, journal, prepared, scribe
from algomirror.ops.prepared import Prepared, PreparedUpdate
from marketdata import quotes
from trading.domain import exits
from trading.domain.orders import UNFINISHED, OrderState, Purpose
from trading.domain.prices import is_future, ladder_price
from trading.models import Book, ExitGoal, Order, Position
from trading.models.books import ExitReason
from trading.services import apply, backoff, cancel, evidence, halt, record, submit, versions, wake

log = logging.getLogger(__name__)

S = OrderState
MISSING_PATIENCE = timedelta(seconds=3)
ENGINE = "engine:exits"

_book = Prepared(lambda book: Book.objects.filter(pk=book))
_open_goal = Prepared(lambda book: ExitGoal.objects.filter(book_id=book).exclude(state=ExitGoal.State.DONE).order_by("id"))
_owned = Prepared(lambda book: Position.objects.filter(book_id=book).exclude(units=0).values_list("pk", flat=True)[:1])
# One that ended to be asked again at a new price is between two attempts: a goal forbids the next.
_may_fill = Prepared(
    lambda book: Order.objects.filter(
        Q(state__in=[s.value for s in UNFINISHED]) | Q(state=S.CANCELED, follows_price=True), book_id=book
    ).values_list("pk", flat=True)[:1]
)
_goals = Prepared(lambda goal: ExitGoal.objects.select_related("book", "book__account").filter(pk=goal))
_tried = Prepared(lambda goal: Order.objects.filter(goal_id=goal).select_related("book").order_by("-id"))
_versions = Prepared(lambda book: Book.objects.filter(pk=book).values_list("version", flat=True))
_latest = Prepared(lambda goal: ExitGoal.objects.filter(pk=goal).values_list("attempts", "targets"))
_works = PreparedUpdate(lambda goal: ExitGoal.objects.filter(pk=goal), ["attempts"], state=ExitGoal.State.WORKING)
_heard = PreparedUpdate(lambda goal: ExitGoal.objects.filter(pk=goal), rejections=0, not_before=None)
_first_sent = PreparedUpdate(lambda goal: ExitGoal.objects.filter(pk=goal, first_sent_at=None), ["first_sent_at"])


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
        book = _book.one(book_id)
        open_goal = _open_goal.first(book_id)
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
        # Whoever works comes before whoever looks.
        wake.wake([book.account_id])
        apply.after(book_id)
    return goal


def _anything_to_close(book_id: int) -> bool:
    return bool(_owned(book_id) or _may_fill(book_id))


def _create(
    book: Book, reason: str, asked_by: str, why: str, numbers: Mapping[str, Any] | None, targets: Mapping[str, int] | None
) -> ExitGoal:
    goal = ExitGoal(
        book=book,
        targets=dict(targets) if targets is not None else None,
        reason=reason,
        why=why[:500],
        numbers=journal.plain(numbers or {}),
        asked_by=asked_by,
        requested_at=clock.now(),
    )
    prepared.insert(goal)
    if targets is None:
        _exiting(book)
    versions.bump(book.pk)
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
    versions.bump(book.pk)
    ExitGoal.objects.filter(pk=goal.pk).update(targets=merged)
    goal.targets = merged
    if merged is None:
        _exiting(book)
    record.of_book("exit.widened", book, actor=asked_by, why=why, goal=goal.pk, targets=merged)


# --- driving -----------------------------------------------------------------------------------


def drive(goal_id: int) -> bool:
    """One pass. True while the goal is open. Safe from several workers: every act is claimed on the book's version."""
    goal = _goals.one(goal_id)
    if goal.state == ExitGoal.State.DONE:
        return False
    book = goal.book
    if book.state == Book.State.FROZEN:
        _try_to_thaw(book)
        return True
    tried = _tried(goal_id)
    _drop_stale_intents(tried)
    # The version is read before the facts: whatever changes after this line makes the claim below fail.
    book.version = _versions.one(book.pk)
    goal.attempts, goal.targets = _latest.one(goal_id)
    facts = evidence.facts(goal, clock.now())
    todo = exits.steps(facts)
    if todo == [exits.Done()]:
        return not scribe.write(lambda: _finish(goal, book))
    _escalate(goal, book)
    # Counted a second way before anything leaves: no ask above the room that is left.
    asks = [s for s in todo if isinstance(s, exits.Exit) and s.units <= exits.room(facts, s.instrument)]
    asks = [ask for ask in asks if not backoff.backs_off(tried, ask, facts.now)]
    if goal.not_before is not None and facts.now < goal.not_before:
        asks = []
    walks = any(isinstance(s, exits.Cancel) and s.walks for s in todo)
    if (asks or walks) and hooks.call("is_halted", book.account_id):
        # We distrust our own picture of this account: nothing but cancels goes out until a person releases it. What works
        # goes on working, because nothing would take its place.
        asks, todo = [], [s for s in todo if not (isinstance(s, exits.Cancel) and s.walks)]
    since = clock.monotonic()
    orders = _write_exits(goal, book, _priced(asks, facts, tried)) if asks else []
    for step in todo:
        match step:
            case exits.Deny(order_id=order_id):
                cancel.request(order_id, asked_by=ENGINE, why="the book is being closed")
            case exits.Cancel(order_id=order_id, why=why):
                cancel.request(order_id, asked_by=ENGINE, why=why)
    if orders:
        verdicts = submit.wire(orders, submit.sending_of(orders, since=since))
        scribe.write(lambda: _take_stock(goal, verdicts))
    _watch(goal, book, todo)
    return True


def _watch(goal: ExitGoal, book: Book, todo: list[exits.Step]) -> None:
    waits = {step.why for step in todo if isinstance(step, exits.Wait)}
    if "missing" in waits:
        if exits.only_missing(todo):
            _dispute(goal, book)
    elif goal.missing_since:
        ExitGoal.objects.filter(pk=goal.pk).update(missing_since=None)
    if "lapsed" in waits:
        halt.account(
            book.account_id, why=f"{book}: an order was lost and the broker's books do not explain it; a person must look"
        )


def _drop_stale_intents(tried: list[Order]) -> None:
    """Exit rows that came back unsent: their price is old and their quantity would be counted twice."""
    for order in tried:
        if order.state == S.INITIALIZED:
            with transaction.atomic():
                apply.move(order, S.DENIED, why="never sent, asked anew")


@dataclass(frozen=True, slots=True)
class Priced:
    ask: exits.Exit
    position: exits.PositionView
    price: Decimal
    decision_price: Decimal | None
    numbers: dict[str, Any]


def _priced(asks: list[exits.Exit], facts: exits.Facts, tried: list[Order]) -> list[Priced]:
    """A limit for each ask: on the rung that its cancelled attempts have reached, or wide without a fresh quote."""
    now = clock.now()
    positions = {p.instrument: p for p in facts.positions}
    known = quotes.get({_key(ask) for ask in asks})
    fresh = quotes.only_fresh(known, now)
    priced: list[Priced] = []
    for ask in asks:
        position, key = positions[ask.instrument], _key(ask)
        rung = sum(o.state in (S.CANCELED, S.LAPSED) for o in backoff.of(tried, ask))
        # The newest price of any age, else what the position cost.
        last_known = known[key].deciding_price if key in known else position.cost
        quote = fresh.get(key)
        price = ladder_price(
            ask.action, position.tick, step=rung, fresh=quote, last_known=last_known, future=is_future(ask.instrument[1])
        )
        numbers = {
            "rung": rung,
            "last_price": quote.last_price if quote else None,
            "quote_age_s": round(quote.age_s(now), 3) if quote else None,
            "last_known": last_known,
        }
        priced.append(Priced(ask, position, price, quote.deciding_price if quote else None, numbers))
    return priced


def _key(ask: exits.Exit) -> str:
    return f"{ask.instrument[0]}:{ask.instrument[1]}"


def _write_exits(goal: ExitGoal, book: Book, priced: list[Priced]) -> list[Order]:
    """Rows for all exits of this pass, as sent, claimed on the version the decision was read at.

    Empty when the book has moved on, or an unacknowledged order of another book has come to stand on the same side.
    """
    fields = submit.as_sent(book.account_id)
    if fields is None:
        return []
    rows = [_row(goal, book, one, goal.attempts + n + 1, fields) for n, one in enumerate(priced)]

    def claim() -> list[Order]:
        if not versions.claim(book, submit.REDUCING):
            return []
        _works(goal.pk, goal.attempts + len(rows))
        orders = apply.born_sent(rows)
        for order, one in zip(orders, priced, strict=True):
            _record(goal, order, one)
        return orders

    try:
        return scribe.write(claim)
    except IntegrityError:
        return []


def _row(goal: ExitGoal, book: Book, priced: Priced, attempt: int, fields: dict[str, Any]) -> Order:
    ask = priced.ask
    exchange, symbol, product = ask.instrument
    return Order(
        book=book,
        account=book.account,
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
        lot_units=priced.position.lot_units,
        freeze_units=priced.position.freeze_units,
        tick=priced.position.tick,
        price_type="LIMIT",
        price=priced.price,
        protected=True,
        decision_price=priced.decision_price,
        created_at=fields["sent_at"],
        **fields,
    )


def _record(goal: ExitGoal, order: Order, priced: Priced) -> None:
    record.of_order(
        "exit.order",
        order,
        actor=ENGINE,
        why=goal.reason,
        moved=(S.INITIALIZED, S.SUBMITTED),
        action=order.action,
        symbol=order.symbol,
        units=order.units,
        price=order.price,
        **priced.numbers,
    )


def _take_stock(goal: ExitGoal, verdicts: dict[int, Verdict]) -> None:
    said = list(verdicts.values())
    mine = ExitGoal.objects.filter(pk=goal.pk)
    refused, unsent = said.count(Verdict.REFUSED), said.count(Verdict.NOT_SENT)
    if refused:
        mine.update(rejections=models.F("rejections") + refused)
    elif unsent < len(said):
        _heard(goal.pk)
    if unsent < len(said):
        _first_sent(goal.pk, clock.now())
    if unsent:
        mine.update(not_before=clock.now() + timedelta(seconds=1))


def _finish(goal: ExitGoal, book: Book) -> bool:
    """DONE, if nothing happened to the book since the facts were read. Inside a transaction."""
    if not versions.claim(book):
        return False
    now = clock.now()
    if not ExitGoal.objects.filter(pk=goal.pk).exclude(state=ExitGoal.State.DONE).update(state=ExitGoal.State.DONE, done_at=now):
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
