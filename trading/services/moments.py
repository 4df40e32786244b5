"""Moments of the order path that lie in the future, because this host's clock was set back after they were written down.

What waits by them would stand still until the clock had caught up: reads would count as older than those of the future, an
order as sent after every read. They become the present: no later is known of what has happened already, and no read that has
begun yet counts as newer than they are. All processes of a host read the same clock, so whoever comes first does it for all.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db.models import Model, Q, QuerySet

from accounts.models import BrokerRead
from algomirror.kernel import clock
from algomirror.ops import alarms, scribe
from algomirror.ops.steps import steps
from trading.domain.orders import UNFINISHED
from trading.models import BrokerOrder, ExitGoal, Fill, Order

log = logging.getLogger(__name__)

# Pauses that lie ahead by intention are no longer.
PAUSE = timedelta(seconds=2)

READ = ("started_at", "finished_at", "attempted_at")
ORDER = (
    *("created_at", "sent_at", "answered_at", "acknowledged_at", "cancel_asked_at", "change_asked_at", "change_answered_at"),
    *("last_seen_at", "finished_at", "revived_at"),
)
GOAL = ("missing_since", "requested_at", "first_sent_at")
SEEN = ("first_seen_at", "last_seen_at")


def watch() -> None:
    """A clock that was moved is told, and what it left in the future brought back. At each poll."""
    if step := steps.look():
        alarms.ring("CLOCK_STEPPED", f"this host's clock was moved by {step:+.1f} s; check its time service", seconds=step)
    if step < 0:
        bring_back()


def bring_back(account_id: int | None = None) -> int:
    """How many moments of the account, or of all of them, were brought back to the present; outside any transaction."""
    moved = scribe.write(lambda: _bring_back(account_id))
    if moved:
        log.warning("moments of the future brought back count=%s account=%s", moved, account_id or "all")
    return moved


def _bring_back(account_id: int | None) -> int:
    now = clock.now()
    day = Q(trading_day__gte=clock.trading_day(now))
    mine = Q() if account_id is None else Q(account_id=account_id)
    orders = Order.objects.filter(mine, day | Q(trading_day=None) | Q(state__in=[s.value for s in UNFINISHED]))
    goals = ExitGoal.objects.filter(Q() if account_id is None else Q(book__account_id=account_id)).exclude(
        state=ExitGoal.State.DONE
    )
    moved = (
        _of(BrokerRead.objects.filter(mine), READ, now)
        + _of(orders, ORDER, now)
        + _of(Fill.objects.filter(mine, day), ("first_seen_at",), now)
        + _of(BrokerOrder.objects.filter(mine, day), SEEN, now)
        + _of(goals, GOAL, now)
    )
    return moved + goals.filter(not_before__gt=now + PAUSE).update(not_before=now)


def _of(rows: QuerySet[Model], names: tuple[str, ...], now: object) -> int:
    return sum(rows.filter(**{f"{name}__gt": now}).update(**{name: now}) for name in names)
