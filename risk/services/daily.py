"""Limits above the run, in the sweep: a day's loss or profit reached leaves everything and locks entries until tomorrow."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import models, transaction

from accounts.models import Account, User
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops import alarms, journal, push
from marketdata import calendar
from risk.domain.ceilings import Breach, breach, losing_streak
from risk.domain.sentences import rupees
from risk.models import AccountLimits, EntryLock, RiskEvent
from risk.services import grouped, unjudged
from risk.services.ceilings import PLATFORM, ceiling_of
from trading.models import Book, ExitGoal, Position
from trading.models.books import ExitReason
from trading.pages import day as day_pages
from trading.services import flatten, wake

EXCHANGE = "NFO"
ENGINE = "engine:sweep"
DAILY = (EntryLock.Kind.DAILY_LOSS, EntryLock.Kind.DAILY_PROFIT)


@dataclass(frozen=True, slots=True)
class _Reached:
    """A day's limit that is reached, and whom it locks."""

    scope_key: str
    account_id: int | None
    name: str
    kind: Breach
    level: Decimal
    why: str
    # None where who sees the account may not see all that was added up.
    value: Decimal | None
    group_id: int | None = None


def look(now: datetime) -> frozenset[str]:
    """One look at every limit above the run. Two queries while none is set. The instruments for want of which it is blind."""
    rows, groups = list(AccountLimits.objects.select_related("account")), grouped.all_limits()
    if not rows and not groups:
        return frozenset()
    blind: dict[str, unjudged.Unjudged] = {}
    if groups or any(row.daily_loss is not None or row.daily_profit is not None for row in rows):
        today = day_pages.today()
        for row in rows:
            _look_at(row, today, now)
        for group in groups:
            _look_at_group(group, today, now)
        blind = unjudged.found(rows, groups, today, now)
    unjudged.watch(blind, now)
    _cool_down(rows, now)
    _reassert(now)
    return frozenset[str]().union(*(one.missing for one in blind.values()))


def _look_at(row: AccountLimits, today: day_pages.Today, now: datetime) -> None:
    found = today.whole if row.account_id is None else today.by_account.get(row.account_id)
    total = Decimal(0) if found is None else found.total
    reached = breach(ceiling_of(row), total)
    if reached is None or total is None:
        return
    kind, level = reached
    name = PLATFORM if row.account is None else row.account.name
    why = f"the day's P&L {rupees(total)} {_sign(kind)} {rupees(level)}"
    limit = _Reached(scope_key(row.account_id), row.account_id, name, kind, level, why, total)
    with transaction.atomic():
        if _lock_for_the_day(limit, now):
            alarms.ring("ACCOUNT_LIMIT", f"{name}: {why}", key=f"{limit.scope_key}:{kind}", account_id=row.account_id)


def _look_at_group(group: grouped.Limited, today: day_pages.Today, now: datetime) -> None:
    """Every account of it leaves and is locked, or none: in one transaction."""
    total = group.day_pnl(today)
    reached = breach(group.ceiling, total)
    if reached is None:
        return
    kind, level = reached
    why = f"the day's P&L of the group {group.name} {_sign(kind)} {rupees(level)}"
    with transaction.atomic():
        locked = [
            pk
            for pk, name in group.accounts.items()
            if _lock_for_the_day(_Reached(group.scope_key(pk), pk, name, kind, level, why, None, group.pk), now)
        ]
        if not locked:
            return
        journal.record(
            "risk.group_limit", actor=ENGINE, why=why, subject=f"group:{group.pk}", level=level, value=total, accounts=locked
        )
        text = f"Group {group.name}: its daily limit is reached; exits asked for, entries locked until the next session."
        alarms.ring("ACCOUNT_LIMIT", text, key=f"group:{group.pk}:{kind}")


def _sign(kind: Breach) -> str:
    return "≤" if kind == "DAILY_LOSS" else "≥"


def scope_key(account_id: int | None) -> str:
    return "platform" if account_id is None else f"account:{account_id}"


def _lock_for_the_day(reached: _Reached, now: datetime) -> bool:
    """Lock, event, goals: one transaction, once per scope, day and kind. False when it was locked before."""
    with transaction.atomic():
        _, first = EntryLock.objects.get_or_create(
            scope_key=reached.scope_key,
            trading_day=clock.trading_day(now),
            kind=reached.kind,
            defaults={"account_id": reached.account_id, "since": now, "until": _next_open(now), "why": reached.why[:300]},
        )
        if not first:
            return False
        why = f"{reached.name}: {reached.why}. Exit requested; entries are locked until the next session."
        goals = _leave(reached.account_id, why=why)
        of_group: dict[str, Any] = {} if reached.group_id is None else {"group": reached.group_id}
        RiskEvent.objects.create(
            at=now,
            account_id=reached.account_id,
            kind="ACCOUNT_LIMIT",
            threshold=reached.level,
            value=reached.value,
            action="EXIT",
            seen_by="sweep",
            numbers={"limit": reached.kind, "day_pnl": None if reached.value is None else str(reached.value), **of_group},
            goal_ids=goals,
        )
        journal.record(
            "risk.account_limit",
            actor=ENGINE,
            why=reached.why,
            subject=reached.kind,
            account_id=reached.account_id,
            level=reached.level,
            value=reached.value,
            goals=goals,
            **of_group,
        )
        push.push("risk", "changed")
    return True


def _next_open(now: datetime) -> datetime:
    """The opening of the next trading day; a whole day where the calendar cannot say."""
    close = calendar.session_close(EXCHANGE, clock.trading_day(now))
    return calendar.sessions().next_open(EXCHANGE, max(now, close or now)) or now + timedelta(days=1)


def _leave(account_id: int | None, *, why: str, without_goal_only: bool = False) -> list[int]:
    """Exit goals of every book of AlgoMirror in the scope that holds or may still hold something."""
    books = Book.objects.exclude(state=Book.State.FLAT)
    if account_id is not None:
        books = books.filter(account_id=account_id)
    if without_goal_only:
        working = ExitGoal.objects.exclude(state=ExitGoal.State.DONE).values("book_id")
        books = books.filter(pk__in=Position.objects.exclude(units=0).values("book_id")).exclude(pk__in=working)
    found = list(books.order_by("id").values_list("pk", "account_id"))
    goals = [
        flatten.request(pk, reason=ExitReason.ACCOUNT_LIMIT, asked_by=ENGINE, why=why, numbers={"account": owner})
        for pk, owner in found
    ]
    wake.wake({owner for _, owner in found})
    return [goal.pk for goal in goals if goal is not None]


def _reassert(now: datetime) -> None:
    """While a day's lock stands, what is open without a goal is asked to leave again."""
    standing = EntryLock.objects.filter(kind__in=DAILY, trading_day=clock.trading_day(now), until__gt=now, released_by="")
    for account_id in set(standing.values_list("account_id", flat=True)):
        with transaction.atomic():
            _leave(account_id, why="the day's limit was reached earlier; not flat yet", without_goal_only=True)


def _cool_down(rows: list[AccountLimits], now: datetime) -> None:
    asked = [row for row in rows if row.losing_exits and row.cool_down_minutes]
    if not asked:
        return
    today = clock.trading_day(now)
    closed = Book.objects.filter(kind=Book.Kind.RUN, state=Book.State.FLAT, flat_at__gte=now - timedelta(days=1))
    made = closed.annotate(total=models.Sum("positions__realised")).order_by("-flat_at", "-id")
    results: dict[int | None, list[tuple[int, datetime, Decimal]]] = defaultdict(list)
    for pk, account_id, flat_at, total in made.values_list("pk", "account_id", "flat_at", "total"):
        if flat_at is not None and total is not None and clock.trading_day(flat_at) == today:
            results[account_id].append((pk, flat_at, total))
            results[None].append((pk, flat_at, total))
    for row in asked:
        found = results[row.account_id]
        streak = losing_streak([total for *_, total in found])
        if streak >= (row.losing_exits or 0):
            _lock_for_a_while(row, found[0][0], found[0][1] + timedelta(minutes=row.cool_down_minutes or 0), streak, now)


def _lock_for_a_while(row: AccountLimits, book_id: int, until: datetime, streak: int, now: datetime) -> None:
    if until <= now:
        return
    with transaction.atomic():
        _, first = EntryLock.objects.get_or_create(
            scope_key=f"{scope_key(row.account_id)}:after:{book_id}",
            trading_day=clock.trading_day(now),
            kind=EntryLock.Kind.COOL_DOWN,
            defaults={"account_id": row.account_id, "since": now, "until": until, "why": f"{streak} losing exits in a row"},
        )
        if first:
            numbers: dict[str, Any] = {"limit": "COOL_DOWN", "streak": streak, "until": until.isoformat()}
            RiskEvent.objects.create(
                at=now, account_id=row.account_id, kind="LIMIT_LOCK", action="NONE", seen_by="sweep", numbers=numbers
            )
            journal.record(
                "risk.cool_down", actor=ENGINE, why=f"{streak} losing exits in a row", account_id=row.account_id, **numbers
            )
            push.push("risk", "changed")


def release(lock_id: int, *, user: User, why: str) -> bool:
    """End a lock early: the owner, with a reason. False when it has ended or was released."""
    if not user.is_owner:
        raise Refused("Only the owner releases.")
    if not why.strip():
        raise Refused("A release needs a reason.", fields={"reason": "say why it is safe"})
    now = clock.now()
    with transaction.atomic():
        done = EntryLock.objects.filter(pk=lock_id, released_by="", until__gt=now).update(released_by=f"user:{user.username}")
        if done:
            journal.record("risk.lock_released", actor=f"user:{user.username}", why=why, subject=f"lock:{lock_id}")
            push.push("risk", "changed")
    return bool(done)


def set_limits(account: Account | None, values: dict[str, object], *, by: str) -> bool:
    """Write one row of limits, journaled with old and new; False when nothing changed."""
    account_id = None if account is None else account.pk
    subject = scope_key(account_id)
    return grouped.write(AccountLimits, {"account": account}, NAMES, values, by=by, subject=subject, account_id=account_id)


NAMES = (
    "daily_loss",
    "daily_profit",
    "max_lots",
    "max_notional",
    "orders_per_minute",
    "orders_per_day",
    "max_runs",
    "losing_exits",
    "cool_down_minutes",
    "max_utilisation",
    "margin_alarm",
)
