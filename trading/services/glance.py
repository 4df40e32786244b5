"""What one account has going on, seen at one moment in a few small queries: what its worker decides its next act from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from operator import itemgetter
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from accounts.models import BrokerRead
from algomirror.kernel import clock
from algomirror.ops import hooks
from algomirror.ops.prepared import Prepared
from trading.domain.orders import ENTRIES, EXITS, LIVE_STATES, UNACKNOWLEDGED, UNFINISHED, OrderState, Purpose
from trading.models import Book, ExitGoal, Order, Position

# After something was sent and answered its outcome is asked for at once, while an answer is still lacking at this pace;
# then the steady pace of working orders.
EAGER_POLL_S = 0.15
EAGER_AFTER_CANCEL = timedelta(seconds=3)
# What the books called ended is looked at again soon: some show another order's word for a while. What they never showed
# may turn up late, and would work unseen.
DOUBTED_FOR, LOST_FOR = timedelta(seconds=30), timedelta(minutes=5)
# A stray whose cancels lead nowhere is asked again after 1, 2, 4 … seconds, at most so many.
STRAY_AGAIN_S, STRAY_AGAIN_MOST_S = 1, 30
# The clocks of two threads differ by less.
BEHIND = timedelta(seconds=1)
LOOKED_AFTER = (Book.State.OPEN, Book.State.REDUCING, Book.State.EXITING)
# A cancelled order that follows the price is asked again or given up within this.
GIVEN_UP_IN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Seen:
    """An order that may still fill, that waits to be sent, or that was cancelled a moment ago to follow the price."""

    book_id: int
    book_state: str
    purpose: str
    state: str
    protected: bool
    sent_at: datetime | None
    answered_at: datetime | None
    cancel_asked_at: datetime | None
    order_id: int
    revived_at: datetime | None
    cancels: int
    wants_more: bool  # its remainder is asked anew when it has ended
    exchange: str
    symbol: str
    product: str
    cancel_wanted: bool

    @property
    def is_stray(self) -> bool:
        """It works, and without an open goal nobody wants it: an exit, or what was cancelled, and held for ended since; or its
        cancel has not left yet, whatever its book waits for."""
        works = self.state in (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)
        if works and self.cancel_wanted:
            return True
        works = works and self.book_state in LOOKED_AFTER
        was_cancelled = self.revived_at is not None and self.cancel_asked_at is not None
        was_cancelled = was_cancelled and not (self.wants_more and self.book_state == Book.State.OPEN)
        return works and (Purpose(self.purpose) in EXITS or was_cancelled)

    def may_be_cancelled(self, now: datetime) -> bool:
        """Not a moment after the last time, and later each time."""
        pause_s = min(STRAY_AGAIN_S * 2 ** min(max(self.cancels - 1, 0), 10), STRAY_AGAIN_MOST_S)
        return self.cancel_asked_at is None or now - self.cancel_asked_at >= timedelta(seconds=pause_s)

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_STATES

    @property
    def follows_price(self) -> bool:
        """It may be asked anew as soon as its cancel is proven, which wants a read of the positions too."""
        return self.state in (OrderState.CANCELED, OrderState.PENDING_CANCEL)


@dataclass(frozen=True, slots=True)
class Glance:
    account_id: int
    at: datetime
    orders: Sequence[Seen]
    # Goal, its book, that book's state, orders written so far, what it leaves open (None: nothing)
    open_goals: Sequence[tuple[int, int, str, int, Mapping[str, int] | None]]
    holding: Sequence[tuple[int, str]]  # of each position its book, that book's state
    orders_asked_at: datetime | None  # when the order book was last asked for
    orders_read_at: datetime | None  # when its last complete read began
    orders_reads: int
    positions_asked_at: datetime | None
    # Asked where it matters, once: by the broker's books, which may still think better of it.
    ended_lately: Callable[[], bool]

    @property
    def is_behind(self) -> bool:
        """The order book was asked for in the future: the clock was set back, and perhaps nobody noticed the step."""
        return self.orders_asked_at is not None and self.orders_asked_at - self.at > BEHIND

    @property
    def goals(self) -> list[int]:
        return [goal for goal, *_ in self.open_goals]

    @property
    def new_goals(self) -> list[int]:
        """Goals for which nothing has been sent: they wait for no read."""
        return [goal for goal, _, _, attempts, _ in self.open_goals if not attempts]

    @property
    def books_in_use(self) -> set[int]:
        """Books that own something, await something or were asked something."""
        return {o.book_id for o in self.orders} | {book for _, book, *_ in self.open_goals} | {book for book, _ in self.holding}

    @property
    def open_runs(self) -> frozenset[int]:
        """Books of runs that take orders, as they are when this is asked: most looks at an account end before."""
        return frozenset(_open_runs(self.account_id))

    @property
    def has_books_read(self) -> bool:
        return self.orders_reads > 0

    @property
    def follows_price(self) -> bool:
        return any(o.follows_price for o in self.orders)

    @property
    def is_working(self) -> bool:
        return any(o.is_live for o in self.orders)

    @property
    def books_with_entries(self) -> list[int]:
        takes = (Book.State.OPEN, Book.State.REDUCING)
        return sorted({o.book_id for o in self.orders if Purpose(o.purpose) in ENTRIES and o.book_state in takes})

    @property
    def closed_books_with_something(self) -> list[int]:
        late = {o.book_id for o in self.orders if o.is_live and o.book_state == Book.State.FLAT}
        return sorted(late | {book for book, state in self.holding if state == Book.State.FLAT})

    @property
    def strays(self) -> list[int]:
        """Orders to be cancelled once more: their end was believed, and they work. In a closed book its next goal does it."""
        return [o.order_id for o in self.orders if o.is_stray and not self._has_goal(o) and o.may_be_cancelled(self.at)]

    def _has_goal(self, order: Seen) -> bool:
        key = f"{order.exchange}:{order.symbol}:{order.product}"
        return any(book == order.book_id and (targets is None or key in targets) for _, book, _, _, targets in self.open_goals)

    def expects_news(self) -> bool:
        """Within moments: something is on its way, or may be sent next."""
        soon = (*UNACKNOWLEDGED, OrderState.PENDING_CANCEL)
        if self.follows_price or any(o.state in soon or (o.is_live and o.protected) or self._may_go_out(o) for o in self.orders):
            return True
        moving = any(state != Book.State.FROZEN for _, _, state, *_ in self.open_goals)
        return moving and not hooks.call("is_halted", self.account_id)

    @staticmethod
    def _may_go_out(order: Seen) -> bool:
        return order.state == OrderState.INITIALIZED and order.book_state == Book.State.OPEN

    def read_due_in(self) -> float:
        """Seconds until the order book should be read again; 0 or less: now."""
        if self.orders_asked_at is None:
            return 0.0
        if any(o.is_live and o.answered_at is not None and o.answered_at > self.orders_asked_at for o in self.orders):
            return 0.0
        age = (clock.now() - self.orders_asked_at).total_seconds()
        if age < 0:
            # Asked in the future: the clock was set back, and whoever asks now notices it.
            return 0.0
        if self.is_working or self.open_goals or self.follows_price:
            return (EAGER_POLL_S if any(self._has_news(o) for o in self.orders) else float(settings.POLL_WORKING_S)) - age
        return (float(settings.POLL_OPEN_S) if self.holding or self.ended_lately() else float(settings.POLL_IDLE_S)) - age

    def _has_news(self, order: Seen) -> bool:
        """Just sent, or just being cancelled: asked for at once."""
        if not order.is_live:
            return False
        if order.state == OrderState.PENDING_CANCEL and order.cancel_asked_at is not None:
            return self.at - order.cancel_asked_at < EAGER_AFTER_CANCEL
        return order.sent_at is not None and (self.orders_read_at is None or order.sent_at > self.orders_read_at)

    def positions_due(self) -> bool:
        """Also where they were asked for in the future: the clock was set back since."""
        at = self.positions_asked_at
        return at is None or not timedelta() <= self.at - at < timedelta(seconds=settings.POLL_OPEN_S)


_SEEN = (
    *("book_id", "book__state", "purpose", "state", "protected", "sent_at", "answered_at", "cancel_asked_at", "pk"),
    *("revived_at", "cancels", "follows_price", "exchange", "symbol", "product", "cancel_wanted"),
)


def _unfinished(account: Any) -> QuerySet[Order]:
    return Order.objects.filter(account_id=account, state__in=[s.value for s in UNFINISHED]).order_by()


def _followed(account: Any, since: Any) -> QuerySet[Order]:
    mine = Order.objects.filter(account_id=account, state=OrderState.CANCELED, follows_price=True, finished_at__gt=since)
    return mine.order_by()


# Two questions in one statement: with an "or" the database would walk through everything the account ever ended.
_seen = Prepared(
    lambda account, since: _unfinished(account).values_list(*_SEEN).union(_followed(account, since).values_list(*_SEEN), all=True)
)
_ended_lately = Prepared(
    lambda account, ended, lapsed: ended_lately(ended, lapsed).filter(account_id=account).values_list("pk", flat=True)[:1]
)
_goals = Prepared(
    lambda account: (
        ExitGoal.objects.filter(book__account_id=account)
        .exclude(state=ExitGoal.State.DONE)
        .order_by()
        .values_list("pk", "book_id", "book__state", "attempts", "targets")
    )
)
_holding = Prepared(
    lambda account: (
        Position.objects.filter(book__account_id=account).exclude(units=0).order_by().values_list("book_id", "book__state")
    )
)
_reads = Prepared(
    lambda account: BrokerRead.objects.filter(
        account_id=account, kind__in=[BrokerRead.Kind.ORDERS, BrokerRead.Kind.POSITIONS]
    ).values_list("kind", "attempted_at", "started_at", "sequence")
)
_open_runs = Prepared(
    lambda account: Book.objects.filter(
        account_id=account, kind=Book.Kind.RUN, state__in=[Book.State.OPEN, Book.State.REDUCING]
    ).values_list("pk", flat=True)
)
Asked = tuple[datetime | None, datetime | None, int]
NEVER: Asked = (None, None, 0)


def at(account_id: int) -> Glance:
    now = clock.now()
    reads: dict[str, Asked] = {kind: (asked, began, number) for kind, asked, began, number in _reads(account_id)}
    orders_asked_at, orders_read_at, orders_reads = reads.get(BrokerRead.Kind.ORDERS, NEVER)
    positions_asked_at, _, _ = reads.get(BrokerRead.Kind.POSITIONS, NEVER)
    return Glance(
        account_id=account_id,
        at=now,
        orders=_orders(account_id, now),
        open_goals=_open_goals(account_id),
        holding=_holding(account_id),
        orders_asked_at=orders_asked_at,
        orders_read_at=orders_read_at,
        orders_reads=orders_reads,
        positions_asked_at=positions_asked_at,
        ended_lately=_ended(account_id, now),
    )


def later(before: Glance) -> Glance:
    """The same a moment later, when nothing can have changed but the time."""
    now = clock.now()
    return replace(before, at=now, ended_lately=_ended(before.account_id, now))


def again(before: Glance) -> Glance:
    """The same a moment later, when nothing but orders and goals can have changed."""
    now = later(before)
    return replace(now, orders=_orders(now.account_id, now.at), open_goals=_open_goals(now.account_id))


def _ended(account_id: int, now: datetime) -> Callable[[], bool]:
    return cache(lambda: bool(_ended_lately(account_id, now - DOUBTED_FOR, now - LOST_FOR)))


def _open_goals(account_id: int) -> list[Any]:
    """The oldest first."""
    return sorted(_goals(account_id), key=itemgetter(0))


def _orders(account_id: int, now: datetime) -> list[Seen]:
    return [Seen(*row) for row in _seen(account_id, now - GIVEN_UP_IN)]


def ended_lately(ended: Any, lapsed: Any) -> QuerySet[Order]:
    """Orders that the books ended since `ended`, or that lapsed since `lapsed`."""
    words = [OrderState.CANCELED, OrderState.REJECTED]
    # The earlier of the two moments bounds both, for the index.
    either = Q(state__in=words, finished_at__gt=ended) | Q(state=OrderState.LAPSED)
    return Order.objects.filter(either, finished_at__gt=lapsed).order_by()
