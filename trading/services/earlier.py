"""What an earlier day left unfinished. A broker's books cover one day: of the days before they prove nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from accounts.gateway.reports import Word
from algomirror.kernel import clock
from algomirror.ops.prepared import Prepared
from marketdata import calendar
from trading.domain.orders import LIVE_STATES, WORKING, OrderState
from trading.models import Book, BrokerOrder, Order, Position
from trading.services import apply, evidence, mirror

S = OrderState
DAY_CHANGE = "DAY_CHANGE"


def _live_of_other_days(account: Any, day: Any) -> QuerySet[Order]:
    # Not "before that day": the index of days would lead through all that the account ever had.
    live = Order.objects.filter(account_id=account, state__in=[s.value for s in LIVE_STATES])
    return live.exclude(trading_day=day).order_by()


_has_any = Prepared(lambda account, day: _live_of_other_days(account, day).values_list("pk", flat=True)[:1])
_all = Prepared(lambda account, day: _live_of_other_days(account, day).select_related("book"))


def has_any(account_id: int) -> bool:
    return bool(_has_any(account_id, clock.trading_day()))


def end(account_id: int, trades_known_to: datetime | None) -> None:
    """An order ended with its day as we knew it, if its trades were read after that day's close and on that day. If not, it
    may have filled unseen: its book freezes, and a person says, or makes our books agree with what the broker holds.

    `trades_known_to`: when the trade book was last read before this moment's reading.
    """
    day = clock.trading_day()
    earlier = [o for o in _all(account_id, day) if o.trading_day is not None and o.trading_day < day]
    for order in sorted(earlier, key=lambda o: -o.pk):
        works = bool(order.broker_order_id) and OrderState(order.state) in WORKING
        if works and _was_seen_to_the_end(order, trades_known_to):
            _cancelled(order, "a day order of an earlier day")
        elif works and _is_told(order) and _nothing_came_of_it(order):
            _cancelled(order, f"a day order of {order.trading_day}; the broker holds what our books own without it")
        elif order.state == S.UNKNOWN and _is_told(order) and _is_in_the_way(order):
            _lapsed(order)
        else:
            _doubt(order)


def _was_seen_to_the_end(order: Order, trades_known_to: datetime | None) -> bool:
    # Where the order book never showed it, or called it complete and the trade book did not say how, it may have filled.
    if not BrokerOrder.objects.filter(order=order).exclude(word=Word.COMPLETE.value).exists():
        return False
    closed = calendar.session_close(order.exchange, order.trading_day)
    if closed is None or trades_known_to is None or trades_known_to < closed:
        return False
    return clock.trading_day(trades_known_to) == order.trading_day


def _is_told(order: Order) -> bool:
    return order.book.state == Book.State.FROZEN


def _nothing_came_of_it(order: Order) -> bool:
    """The broker's positions, read in today's session, are the sum of our books."""
    since = clock.start_of(clock.trading_day()) + mirror.TRADING_BEGINS
    return evidence.agrees(order.account_id, (order.exchange, order.symbol, order.product), since=since)


def _cancelled(order: Order, why: str) -> None:
    with transaction.atomic():
        apply.move(order, S.CANCELED, why=why)


def _is_in_the_way(order: Order) -> bool:
    """Another book of the account owns of the same: until this one is acknowledged it could not leave."""
    same = {"exchange": order.exchange, "symbol": order.symbol, "product": order.product}
    others = Position.objects.filter(**same, book__account_id=order.account_id).exclude(units=0)
    return others.exclude(book_id=order.book_id).exists()


def _lapsed(order: Order) -> None:
    """A person says what became of it, as before. But nothing of today can be taken for it any more: it keeps no other book
    from leaving on the same side. What the broker's positions lack is not traded there either."""
    with transaction.atomic():
        apply.move(order, S.LAPSED, why=f"its day, {order.trading_day}, is over, and nobody said what became of it")


def _doubt(order: Order) -> None:
    """Whoever sent it reports no more: from UNKNOWN a person can say what became of it."""
    if order.state in (S.SUBMITTED, S.QUEUED):
        with transaction.atomic():
            apply.move(order, S.UNKNOWN, why="its day is over, and nobody said what became of it")
    why = f"{order} of {order.trading_day} was never resolved; its books are gone"
    apply.freeze(order.book_id, kind=DAY_CHANGE, why=why)
