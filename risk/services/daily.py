"""Limits above the run, in the sweep: a day's loss or profit reached leaves everything and locks entries until tomorrow."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

from django.db import models, transaction
from django.db.models import Q, QuerySet

from accounts.models import Account, User
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.kernel.money import ZERO
from algomirror.ops import alarms, journal, push
from marketdata import calendar
from risk.domain.ceilings import Breach, breach, losing_streak
from risk.domain.sentences import rupees
from risk.models import AccountLimits, EntryLock, RiskEvent
from risk.services import grouped, unjudged
from risk.services.ceilings import MAY_FILL, PLATFORM, ceiling_of
from trading.models import Book, ExitGoal, Order, Position
from trading.models.books import ExitReason
from trading.pages import day as day_pages
from trading.services import flatten

log = logging.getLogger(__name__)
T = TypeVar("T")
EXCHANGE = "NFO"
ENGINE = "engine:sweep"
AGAIN = "the day's limit was reached earlier; not flat yet"
DAILY = (EntryLock.Kind.DAILY_LOSS, EntryLock.Kind.DAILY_PROFIT)


@dataclass(frozen=True, slots=True)
class _Reached:
    """A day's limit that is reached, and whom it locks."""

    scope_key: str
    account_id: int | None
    # Of the books that were added up: those leave, and the entries of accounts of this mode are locked.
    mode: str
    name: str
    kind: Breach
    level: Decimal
    why: str
    # None where who sees the account may not see all that was added up.
    value: Decimal | None
    group_id: int | None = None


def look(now: datetime) -> frozenset[str]:
    """One look at every limit above the run. Three queries while none is set. The instruments for want of which it is blind.

    What fails for one of them is told to a person and holds up no other; the next sweep tries again.
    """
    rows = (
        _tried("limits of accounts", lambda: list(AccountLimits.objects.select_related("account").order_by("account_id"))) or []
    )
    groups = _tried("limits of groups", grouped.all_limits) or []
    is_daily = bool(groups) or any(row.daily_loss is not None or row.daily_profit is not None for row in rows)
    today = _tried("the day's P&L", day_pages.today) if is_daily else None
    if today is not None:
        for mode in day_pages.MODES:
            for row in rows:
                _tried(f"limits of {_name_of(row)}", partial(_look_at, row, mode, today, now))
            for group in groups:
                _tried(f"limits of group {group.name}", partial(_look_at_group, group, mode, today, now))
    blind = None if today is None else _tried("what cannot be judged", partial(unjudged.found, rows, groups, today, now))
    if rows or groups:
        _tried("since when limits cannot be judged", lambda: unjudged.watch(blind or {}, now))
    _cool_down(rows, now)
    _tried("what is locked and not flat", lambda: _reassert(now))
    return frozenset[str]().union(*(one.missing for one in (blind or {}).values()))


def _tried(what: str, do: Callable[[], T]) -> T | None:
    """None where it failed, which rings: a limit that cannot act is no limit."""
    try:
        return do()
    except Exception as error:
        log.exception("limit above the run failed what=%s", what)
        text = f"Limits above the run, {what}: {type(error).__name__}: {error}. It is tried again at every sweep."
        try:
            alarms.ring("LIMIT_FAILED", text, key=what)
        except Exception:
            log.exception("alarm not rung what=%s", what)
    return None


def _name_of(row: AccountLimits) -> str:
    return PLATFORM if row.account is None else row.account.name


def _look_at(row: AccountLimits, mode: str, today: day_pages.Today, now: datetime) -> None:
    total = today.made(mode, None if row.account_id is None else {row.account_id}).total
    reached = breach(ceiling_of(row), total)
    if reached is None or total is None:
        return
    kind, level = reached
    name = _name_of(row)
    why = f"the day's {mode.lower()} P&L {rupees(total)} {_sign(kind)} {rupees(level)}"
    limit = _Reached(scope_key(row.account_id), row.account_id, mode, name, kind, level, why, total)
    with transaction.atomic():
        event = _lock_for_the_day(limit, now)
        if event is not None:
            alarms.ring("ACCOUNT_LIMIT", f"{name}: {why}", key=f"{limit.scope_key}:{mode}:{kind}", account_id=row.account_id)
    if event is not None:
        _take_out(limit, event)


def _look_at_group(group: grouped.Limited, mode: str, today: day_pages.Today, now: datetime) -> None:
    """Its accounts of this mode are locked, all or none: in one transaction. Then each of their books is asked to leave."""
    total = today.made(mode, group.accounts).total
    reached = breach(group.ceiling, total)
    if reached is None:
        return
    kind, level = reached
    why = f"the day's {mode.lower()} P&L of the group {group.name} {_sign(kind)} {rupees(level)}"
    are = set(Account.objects.filter(pk__in=group.accounts, mode=mode).values_list("pk", flat=True))
    limits = [
        _Reached(group.scope_key(pk), pk, mode, name, kind, level, why, None, group.pk)
        for pk, name in sorted(group.accounts.items())
        # It may have changed its mode since it traded.
        if pk in are or (pk, mode) in today.pairs
    ]
    with transaction.atomic():
        locked = [(limit, event) for limit in limits if (event := _lock_for_the_day(limit, now)) is not None]
        if not locked:
            return
        accounts = [limit.account_id for limit, _ in locked]
        journal.record(
            "risk.group_limit",
            actor=ENGINE,
            why=why,
            subject=f"group:{group.pk}",
            mode=mode,
            level=level,
            value=total,
            accounts=accounts,
        )
        text = (
            f"Group {group.name}: its daily limit is reached by its {mode.lower()} books; exits asked for, entries locked "
            "until the next session."
        )
        alarms.ring("ACCOUNT_LIMIT", text, key=f"group:{group.pk}:{mode}:{kind}")
    for limit, event in locked:
        _tried(f"exits of {limit.name}", partial(_take_out, limit, event))


def _sign(kind: Breach) -> str:
    return "≤" if kind == "DAILY_LOSS" else "≥"


def scope_key(account_id: int | None) -> str:
    return "platform" if account_id is None else f"account:{account_id}"


def _lock_for_the_day(reached: _Reached, now: datetime) -> RiskEvent | None:
    """Lock and event, once per scope, day, kind and level. None when it was locked before, or is released from this level."""
    with transaction.atomic():
        says: dict[str, Any] = {"since": now, "until": _next_open(now), "why": reached.why[:300]}
        lock, first = EntryLock.objects.get_or_create(
            scope_key=reached.scope_key,
            mode=reached.mode,
            trading_day=clock.trading_day(now),
            kind=reached.kind,
            defaults={"account_id": reached.account_id, **says},
        )
        if not first and not _is_another_level(lock, reached):
            return None
        if not first and not EntryLock.objects.filter(pk=lock.pk).exclude(released_by="").update(released_by="", **says):
            return None
        of_group: dict[str, Any] = {} if reached.group_id is None else {"group": reached.group_id}
        event = RiskEvent.objects.create(
            at=now,
            account_id=reached.account_id,
            kind="ACCOUNT_LIMIT",
            threshold=reached.level,
            value=reached.value,
            action="EXIT",
            seen_by="sweep",
            numbers={
                "limit": reached.kind,
                "mode": reached.mode,
                "day_pnl": None if reached.value is None else str(reached.value),
                **of_group,
            },
        )
        journal.record(
            "risk.account_limit",
            actor=ENGINE,
            why=reached.why,
            subject=reached.kind,
            account_id=reached.account_id,
            mode=reached.mode,
            level=reached.level,
            value=reached.value,
            event=event.pk,
            **of_group,
        )
        push.push("risk", "changed")
    return event


def _is_another_level(lock: EntryLock, reached: _Reached) -> bool:
    """Who releases a lock lets its level pass; a limit that was set to another since is not meant."""
    if not lock.released_by:
        return False
    said = {"limit": reached.kind, "mode": reached.mode, "group": reached.group_id}
    events = RiskEvent.objects.filter(kind="ACCOUNT_LIMIT", at__gte=lock.since).order_by("-id")
    passed = [
        one for one in events if one.account_id == reached.account_id and {name: one.numbers.get(name) for name in said} == said
    ]
    return bool(passed) and passed[0].threshold != reached.level


def _take_out(reached: _Reached, event: RiskEvent) -> None:
    """After the lock is committed: whatever is not asked now, or was not when the process died, the re-assertion asks."""
    why = f"{reached.name}: {reached.why}. Exit requested; entries are locked until the next session."
    goals = _leave(_books(reached.account_id, reached.mode), why=why)
    RiskEvent.objects.filter(pk=event.pk).update(goal_ids=goals)


def _next_open(now: datetime) -> datetime:
    """The opening of the next trading day; a whole day where the calendar cannot say."""
    close = calendar.session_close(EXCHANGE, clock.trading_day(now))
    return calendar.sessions().next_open(EXCHANGE, max(now, close or now)) or now + timedelta(days=1)


def _books(account_id: int | None, mode: str) -> QuerySet[Book]:
    """Every book of AlgoMirror in the scope that holds or may still hold something."""
    books = Book.objects.exclude(state=Book.State.FLAT)
    books = books.filter(mode=mode) if mode else books
    return books if account_id is None else books.filter(account_id=account_id)


def _leave(books: QuerySet[Book], *, why: str) -> list[int]:
    """Each is asked in a transaction of its own, so that no two sweeps wait for each other's books. The goals that stand."""
    goals: list[int] = []
    for pk, owner in list(books.order_by("account_id", "id").values_list("pk", "account_id")):
        ask = partial(flatten.request, pk, reason=ExitReason.ACCOUNT_LIMIT, asked_by=ENGINE, why=why, numbers={"account": owner})
        goal = _tried(f"book {pk} is not asked to leave", ask)
        if goal is not None:
            goals.append(goal.pk)
    return goals


def _reassert(now: datetime) -> None:
    """While a day's lock stands, what is open or may still fill without a goal is asked to leave again."""
    standing = EntryLock.objects.filter(kind__in=DAILY, trading_day=clock.trading_day(now), until__gt=now, released_by="")
    scopes = set(standing.order_by().values_list("account_id", "mode"))
    if not scopes:
        return
    working = ExitGoal.objects.exclude(state=ExitGoal.State.DONE).values("book_id")
    held = Position.objects.exclude(units=0).values("book_id")
    may_fill = Order.objects.filter(state__in=MAY_FILL).values("book_id")
    for account_id, mode in sorted(scopes, key=lambda one: (one[0] or 0, one[1])):
        left = _books(account_id, mode).filter(Q(pk__in=held) | Q(pk__in=may_fill)).exclude(pk__in=working)
        _tried(f"exits of {scope_key(account_id)}", partial(_leave, left, why=AGAIN))


def _cool_down(rows: list[AccountLimits], now: datetime) -> None:
    asked = [row for row in rows if row.losing_exits and row.cool_down_minutes]
    if not asked:
        return
    results = _tried("results of today", lambda: _results_of_today(now)) or {}
    for row in asked:
        for mode in day_pages.MODES:
            found = results.get((row.account_id, mode), [])
            streak = losing_streak([total for *_, total in found])
            if streak >= (row.losing_exits or 0):
                until = found[0][1] + timedelta(minutes=row.cool_down_minutes or 0)
                lock = partial(_lock_for_a_while, row, mode, found[0][0], until, streak, now)
                _tried(f"cool-down of {_name_of(row)}", lock)


def _results_of_today(now: datetime) -> dict[tuple[int | None, str], list[tuple[int, datetime, Decimal]]]:
    """What closed today, newest first, with what it made: books by account and mode, runs that ended of all of a mode."""
    today = clock.trading_day(now)
    closed = Book.objects.filter(kind=Book.Kind.RUN, state=Book.State.FLAT, flat_at__gte=now - timedelta(days=1))
    made = closed.annotate(total=models.Sum("positions__realised")).order_by("-flat_at", "-id")
    results: dict[tuple[int | None, str], list[tuple[int, datetime, Decimal]]] = defaultdict(list)
    runs: dict[tuple[str, int], tuple[int, datetime, Decimal]] = {}
    for pk, run_id, account_id, mode, flat_at, total in made.values_list(
        "pk", "run_id", "account_id", "mode", "flat_at", "total"
    ):
        if run_id is not None and flat_at is not None and total is not None and clock.trading_day(flat_at) == today:
            results[account_id, mode].append((pk, flat_at, total))
            # Known by its newest book, in the order in which the last account was out.
            last, out_at, before = runs.get((mode, run_id), (pk, flat_at, ZERO))
            runs[mode, run_id] = (last, out_at, before + total)
    unfinished = set(Book.objects.filter(kind=Book.Kind.RUN).exclude(state=Book.State.FLAT).values_list("run_id", flat=True))
    for (mode, ended), found in runs.items():
        if ended not in unfinished:
            results[None, mode].append(found)
    return results


def _lock_for_a_while(row: AccountLimits, mode: str, book_id: int, until: datetime, streak: int, now: datetime) -> None:
    if until <= now:
        return
    why = f"{streak} losing {mode.lower()} exits in a row"
    with transaction.atomic():
        _, first = EntryLock.objects.get_or_create(
            scope_key=f"{scope_key(row.account_id)}:after:{book_id}",
            mode=mode,
            trading_day=clock.trading_day(now),
            kind=EntryLock.Kind.COOL_DOWN,
            defaults={"account_id": row.account_id, "since": now, "until": until, "why": why},
        )
        if first:
            numbers: dict[str, Any] = {"limit": "COOL_DOWN", "mode": mode, "streak": streak, "until": until.isoformat()}
            RiskEvent.objects.create(
                at=now, account_id=row.account_id, kind="LIMIT_LOCK", action="NONE", seen_by="sweep", numbers=numbers
            )
            journal.record("risk.cool_down", actor=ENGINE, why=why, account_id=row.account_id, **numbers)
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
