"""Working a book's entries: hedges first, re-pegged a few times, aborted when the hedge does not come."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from algomirror.kernel import clock
from algomirror.kernel.ids import client_order_id
from algomirror.kernel.money import Action
from algomirror.ops.prepared import Prepared
from marketdata import quotes
from trading.domain.orders import ENTRIES, EXITS, LIVE_STATES, OrderState, Purpose
from trading.domain.plan import EntryView, hedge_failed, releasable
from trading.domain.prices import is_future, protected_limit, touch
from trading.models import Book, ExitGoal, Order, Position
from trading.models.books import ExitReason
from trading.services import cancel, convert, evidence, flatten, submit, versions

S = OrderState
MAX_REPEGS = 3
# A cancelled entry without a fresh price to follow is given up after this.
REPEG_PATIENCE = timedelta(seconds=15)
# An order that came back unsent (429, nobody there) is not thrown at the server again at once.
UNSENT_PAUSE = timedelta(seconds=1)
ENTRY_PURPOSES = [p.value for p in ENTRIES]

_books = Prepared(lambda book: Book.objects.select_related("account").filter(pk=book))
_entries = Prepared(lambda book: Order.objects.filter(book_id=book, purpose__in=ENTRY_PURPOSES).order_by("id"))
_following = Prepared(
    lambda run, since: Book.objects.filter(
        run_id=run, pk__in=Order.objects.filter(state=S.CANCELED, follows_price=True, finished_at__gt=since).values("book")
    )
)
_exits = Prepared(
    lambda book: (
        Order.objects.filter(book_id=book, purpose__in=[p.value for p in EXITS])
        .order_by()
        .values_list("exchange", "symbol", "product", "action", "state", "units", "filled_units")
    )
)


def drive(book_id: int) -> bool:
    """One pass over the book's entries. True while anything is still to come. Outside any transaction."""
    book = _book(book_id)
    if book.state not in (Book.State.OPEN, Book.State.REDUCING):
        return False
    orders = _entries(book_id)
    convert.give_up(_newest(orders), REPEG_PATIENCE)
    unfinished = [o for o in orders if o.state == S.INITIALIZED or o.is_live]
    if not unfinished and not _repeggable(book, orders):
        return False
    if book.entry_until is not None and clock.now() > book.entry_until:
        return _close_window(unfinished)
    if book.state == Book.State.REDUCING:
        return False
    if _repeg(book, orders):
        # The version before the facts: whatever changes after this line makes the claim of the sender fail.
        book, orders = _book(book_id), _entries(book_id)
    views = _views(book_id, orders)
    waiting = {o.pk for o in _repeggable(book, orders)}
    failed = [part for part in _parts(book, orders) if _must_abort(book, part, views, waiting)]
    if failed:
        for part in failed:
            _abort(book, part)
        return True
    released = set(releasable(views)) - {o.pk for o in orders if _came_back(o)}
    submit.entries(book, [_with(book, o) for o in _in_order(orders) if o.pk in released])
    return True


def _book(book_id: int) -> Book:
    return _books.one(book_id)


def _with(book: Book, order: Order) -> Order:
    order.book, order.account = book, book.account
    return order


def _in_order(orders: list[Order]) -> list[Order]:
    return sorted(orders, key=lambda o: (o.purpose != Purpose.HEDGE, o.pk))


def _came_back(order: Order) -> bool:
    return order.answered_at is not None and clock.now() - order.answered_at < UNSENT_PAUSE


def _views(book_id: int, orders: list[Order]) -> list[EntryView]:
    """What the hedge gate sees: a hedge that was sold again, or is on its way out, covers nothing, and a short that was bought
    back needs nothing any more. What left an instrument is what came in first."""
    out: dict[tuple[str, str, str, str], int] = {}
    has_hedges = any(o.purpose == Purpose.HEDGE and o.filled_units for o in orders)
    for exchange, symbol, product, action, state, units, filled in _exits(book_id) if has_hedges else ():
        may_fill = action == "SELL" and (state in LIVE_STATES or state == S.LAPSED)
        key = (exchange, symbol, product, "BUY" if action == "SELL" else "SELL")
        out[key] = out.get(key, 0) + (units if may_fill else filled)
    views: list[EntryView] = []
    for order in orders:
        key = (order.exchange, order.symbol, order.product, order.action)
        gone = min(out.get(key, 0), order.filled_units)
        out[key] = out.get(key, 0) - gone
        views.append(_view(order, order.filled_units - gone))
    return views


def _view(order: Order, filled_units: int) -> EntryView:
    action: Action = "BUY" if order.action == "BUY" else "SELL"
    return EntryView(
        order_id=order.pk,
        purpose=Purpose(order.purpose),
        leg=order.leg,
        action=action,
        state=OrderState(order.state),
        units=order.units,
        filled_units=filled_units,
        hedge_legs=tuple(order.hedge_legs),
        instrument=(order.exchange, order.symbol, order.product),
        attempt=order.attempt,
    )


def _close_window(unfinished: list[Order]) -> bool:
    for order in unfinished:
        cancel.request(order.pk, asked_by="engine:entries", why="the entry window is over")
    return bool(unfinished)


def _parts(book: Book, orders: list[Order]) -> list[list[Order]]:
    """What stands and falls together: a run's whole book, in the ticket book each ticket by itself."""
    if book.kind == Book.Kind.RUN:
        return [orders]
    parts: dict[str, list[Order]] = {}
    for order in orders:
        parts.setdefault(_scope(order), []).append(order)
    return list(parts.values())


def _scope(order: Order) -> str:
    return order.client_order_id.split("-a")[0]


def _abort(book: Book, part: list[Order]) -> None:
    """Bring out what this part brought in; other tickets' units in the same instruments stay."""
    targets: dict[str, int] | None = None
    if book.kind == Book.Kind.TICKET:
        targets = {}
        for order in part:
            targets.setdefault(f"{order.exchange}:{order.symbol}:{order.product}", 0)
        held = {f"{p.exchange}:{p.symbol}:{p.product}": abs(p.units) for p in Position.objects.filter(book=book)}
        for key in targets:
            own = sum(o.filled_units for o in part if f"{o.exchange}:{o.symbol}:{o.product}" == key)
            targets[key] = max(held.get(key, 0) - own, 0)
    flatten.request(
        book.pk,
        reason=ExitReason.ENTRY_ABORTED,
        asked_by="engine:entries",
        why="the hedge did not fill in time or was refused",
        targets=targets,
    )


def _must_abort(book: Book, orders: list[Order], of_book: list[EntryView], waiting: set[int]) -> bool:
    """Shorts are waiting for a hedge that failed or took longer than the book allows; one that follows its price did not."""
    ids = {o.pk for o in orders}
    views = [v for v in of_book if v.order_id in ids]
    shorts_waiting = any(v.state is S.INITIALIZED and v.purpose is Purpose.ENTRY and v.hedge_legs for v in views)
    if not shorts_waiting:
        return False
    if hedge_failed(views, waiting):
        return True
    sent = [o.sent_at for o in orders if o.purpose == Purpose.HEDGE and o.sent_at is not None]
    filled = all(o.filled_units >= o.units for o in orders if o.purpose == Purpose.HEDGE and o.state != S.CANCELED)
    return bool(sent) and not filled and clock.now() - min(sent) > timedelta(seconds=book.hedge_wait_s)


def _repeg(book: Book, orders: list[Order]) -> bool:
    """Protected entries that do not fill: cancel after a second; once that is confirmed, ask the remainder at the new touch.

    True when the book may have changed by it.
    """
    now, acted = clock.now(), False
    for order in orders:
        if order.to_market:
            convert.press(order)
            acted = True
        if not order.protected or order.sent_at is None:
            continue
        waited = now - order.sent_at >= timedelta(seconds=settings.REPEG_S)
        if order.state in (S.ACCEPTED, S.PARTIALLY_FILLED) and waited and order.attempt < MAX_REPEGS:
            acted |= cancel.request(order.pk, asked_by="engine:entries", why="unfilled, follow the price", follow=True)
        elif order.state in (S.ACCEPTED, S.PARTIALLY_FILLED) and waited:
            why = f"unfilled after {MAX_REPEGS} attempts to follow the price"
            acted |= cancel.request(order.pk, asked_by="engine:entries", why=why)
    for order in _repeggable(book, orders):
        _again(book, order)
        acted = True
    return acted


def may_try_again(book: Book) -> bool:
    """A cancelled entry of this book still waits for a price to follow."""
    return bool(_repeggable(book, _entries(book.pk)))


def following_books(run_id: int) -> set[int]:
    """Books of this run in which a cancelled entry still waits for a price to follow."""
    return {book.pk for book in _following(run_id, clock.now() - REPEG_PATIENCE) if may_try_again(book)}


def _repeggable(book: Book, orders: list[Order]) -> list[Order]:
    """Cancelled a moment ago by us while following the price, with units left and no newer attempt."""
    return [
        o
        for o in _newest(orders)
        if (o.to_market or (o.protected and o.attempt < MAX_REPEGS))
        and o.state == S.CANCELED
        and o.follows_price
        and o.remaining_units
        and o.finished_at is not None
        and clock.now() - o.finished_at < REPEG_PATIENCE
        and not _was_closed_since(book, o)
    ]


def _newest(orders: list[Order]) -> list[Order]:
    """Of each slice its newest attempt."""
    newest: dict[tuple[int, int], Order] = {}
    for order in orders:
        key = (order.leg, order.slice_no)
        if key not in newest or order.attempt > newest[key].attempt:
            newest[key] = order
    return list(newest.values())


def _was_closed_since(book: Book, order: Order) -> bool:
    """An exit of this instrument was wanted while the order lived: its remainder is wanted no more."""
    goals = ExitGoal.objects.filter(Q(done_at=None) | Q(done_at__gte=order.created_at), book=book)
    key = f"{order.exchange}:{order.symbol}:{order.product}"
    return any(targets is None or key in targets for targets in goals.values_list("targets", flat=True))


# What a later attempt of a slice has of the one before it; it is always a marketable limit.
_KEPT = (
    "purpose",
    "leg",
    "slice_no",
    "hedge_legs",
    "exchange",
    "symbol",
    "product",
    "action",
    "lot_units",
    "freeze_units",
    "tick",
    "permit",
)


def _again(book: Book, order: Order) -> None:
    """Ask what is left of an ended order at the new touch, decided on rows that cannot change meanwhile."""
    quote = quotes.fresh([order.key], clock.now()).get(order.key)
    if quote is None:
        return
    action: Action = "BUY" if order.action == "BUY" else "SELL"
    with transaction.atomic():
        versions.bump(book.pk)
        order = Order.objects.get(pk=order.pk)
        if order.state != S.CANCELED or not order.follows_price or not order.remaining_units or _was_closed_since(book, order):
            return
        # Trades may reach the trade book after the cancel: the remainder is known when the broker's net says so too.
        if not evidence.agrees(order.account_id, (order.exchange, order.symbol, order.product)):
            return
        now = clock.now()
        Order.objects.get_or_create(
            client_order_id=client_order_id(_scope(order), order.account_id, order.leg, order.slice_no, order.attempt + 1),
            defaults={
                **{name: getattr(order, name) for name in _KEPT},
                "book_id": order.book_id,
                "account_id": order.account_id,
                "attempt": order.attempt + 1,
                "units": order.remaining_units,
                "price_type": "LIMIT",
                "price": protected_limit(touch(quote, action), action, order.tick, future=is_future(order.symbol)),
                "protected": True,
                "decision_price": quote.deciding_price if order.to_market else order.decision_price,
                "trading_day": clock.trading_day(now),
                "created_at": now,
            },
        )
        Order.objects.filter(pk=order.pk).update(follows_price=False)
