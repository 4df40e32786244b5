"""Everything one account needs now: exits first, then reads, then entries, until nothing moves."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import timedelta

import redis
from django.conf import settings
from django.db import OperationalError, close_old_connections, connection
from django.db.models import Q

from accounts.models import Account, BrokerRead
from algomirror.kernel import clock
from algomirror.ops import alarms, hooks, queue
from algomirror.ops.lease import process_name
from trading.domain.orders import ENTRIES, LIVE_STATES, UNACKNOWLEDGED, OrderState
from trading.models import Book, ExitGoal, Order, Position
from trading.services import apply, convert, enter, flatten, poll, rest, wake

log = logging.getLogger(__name__)

PASS_S = 0.05
LONGEST_PAUSE_S = 0.25
TURN_S = 6.0
THREADS = 32
# After something was sent its outcome is asked for at once; then the steady pace of working orders.
EAGER_POLL_S = 0.2
EAGER_AFTER_CANCEL = timedelta(seconds=3)
LIVE = [s.value for s in LIVE_STATES]
UNSEEN = [s.value for s in UNACKNOWLEDGED]


def account(account_id: int, *, turn_s: float = TURN_S, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Work on one account while news is expected within moments, at most `turn_s`. True when it wants another turn at once.

    What only waits (a resting order, a frozen book, a halted account) is left to the beat.
    """
    ends = clock.monotonic() + turn_s
    while step(account_id) and _expects_news(account_id):
        pause = min(max(_poll_due_in(account_id), PASS_S), LONGEST_PAUSE_S)
        if clock.monotonic() + pause >= ends:
            return True
        sleep(pause)
    return False


def _expects_news(account_id: int) -> bool:
    orders = Order.objects.filter(account_id=account_id)
    if convert.waiting(account_id):
        return True
    soon = Q(state__in=[*UNSEEN, OrderState.PENDING_CANCEL]) | Q(state__in=LIVE, protected=True)
    unsent = Q(state=OrderState.INITIALIZED, book__state=Book.State.OPEN)
    if orders.filter(soon | unsent).exists():
        return True
    goals = ExitGoal.objects.filter(book__account_id=account_id).exclude(state="DONE").exclude(book__state=Book.State.FROZEN)
    return goals.exists() and not hooks.call("is_halted", account_id)


def step(account_id: int) -> bool:
    """One pass: goals, a read if one is due, entries. True while orders work, goals are open or entries wait."""
    _catch_late_fills(account_id)
    goals = list(ExitGoal.objects.filter(book__account_id=account_id).exclude(state="DONE").values_list("pk", flat=True))
    has_books_read = BrokerRead.objects.filter(account_id=account_id, kind="ORDERS", sequence__gt=0).exists()
    if has_books_read:
        _each(flatten.drive, goals)
    live = Order.objects.filter(account_id=account_id, state__in=LIVE)
    if not has_books_read or _poll_due_in(account_id) <= 0:
        poll.account(account_id, positions=bool(goals) or enter.follows_price(account_id) or _positions_due(account_id))
        _each(flatten.drive, goals)
    entering = _drive_entries(account_id) if has_books_read else _has_entries(account_id)
    for book in rest.idle(Book.objects.filter(account_id=account_id), by=apply.ENGINE):
        apply.after(book.pk)
    still_goals = ExitGoal.objects.filter(book__account_id=account_id).exclude(state="DONE").exists()
    return entering or still_goals or live.exists()


def _has_entries(account_id: int) -> bool:
    return Book.objects.filter(_with_entries(), account_id=account_id, state=Book.State.OPEN).exists()


def _with_entries() -> Q:
    return Q(orders__purpose__in=[p.value for p in ENTRIES], orders__state__in=[OrderState.INITIALIZED, *LIVE])


def _drive_entries(account_id: int) -> bool:
    # Recently cancelled entries may want another attempt, so books with young orders count too.
    young = Q(orders__purpose__in=[p.value for p in ENTRIES], orders__finished_at__gt=clock.now() - timedelta(seconds=30))
    states = [Book.State.OPEN, Book.State.REDUCING]
    ids = Book.objects.filter(_with_entries() | young, account_id=account_id, state__in=states).values_list("pk", flat=True)
    return _each(enter.drive, sorted(set(ids)))


def _each(drive: Callable[[int], bool], ids: Iterable[int]) -> bool:
    """Drive each; one that cannot be driven is told to a person and holds up no other. True when any wants more."""
    busy = False
    for pk in ids:
        try:
            busy = drive(pk) or busy
        except OperationalError:
            log.warning("drive put off what=%s id=%s", drive.__module__, pk, exc_info=True)
            busy = True
        except Exception as error:
            log.exception("drive failed what=%s id=%s", drive.__module__, pk)
            what = drive.__module__.rpartition(".")[2]
            alarms.ring("DRIVE_FAILED", f"{what} {pk} cannot be driven: {type(error).__name__}: {error}", key=f"{what}:{pk}")
            busy = True
    return busy


def _poll_due_in(account_id: int) -> float:
    """Seconds until the order book should be read again; 0 or less: now."""
    read = BrokerRead.objects.filter(account_id=account_id, kind="ORDERS").values("attempted_at", "started_at").first()
    if read is None or read["attempted_at"] is None:
        return 0.0
    age = (clock.now() - read["attempted_at"]).total_seconds()
    working = Order.objects.filter(account_id=account_id, state__in=LIVE).exists()
    goals = ExitGoal.objects.filter(book__account_id=account_id).exclude(state="DONE").exists()
    if working or goals or enter.follows_price(account_id):
        # What was just sent, or is just being cancelled, is asked for at once.
        sent = Q(sent_at__gt=read["started_at"])
        cancelling = Q(state=OrderState.PENDING_CANCEL, cancel_asked_at__gt=clock.now() - EAGER_AFTER_CANCEL)
        news = Order.objects.filter(sent | cancelling, account_id=account_id, state__in=LIVE).exists()
        return (EAGER_POLL_S if news else float(settings.POLL_WORKING_S)) - age
    return _calm_interval(account_id) - age


def _calm_interval(account_id: int) -> float:
    open_positions = Position.objects.filter(book__account_id=account_id).exclude(units=0).exists()
    interval: float = settings.POLL_OPEN_S if open_positions else settings.POLL_IDLE_S
    return interval


def _positions_due(account_id: int) -> bool:
    at = BrokerRead.objects.filter(account_id=account_id, kind="POSITIONS").values_list("attempted_at", flat=True).first()
    return at is None or (clock.now() - at).total_seconds() >= settings.POLL_OPEN_S


def _catch_late_fills(account_id: int) -> None:
    """A fill, or a lost order that turned up, opens its closed book again; the machine only ever reduces it."""
    closed = {"book__account_id": account_id, "book__state": Book.State.FLAT}
    late = set(Position.objects.filter(**closed).exclude(units=0).values_list("book_id", flat=True))
    late |= set(Order.objects.filter(**closed, state__in=LIVE).values_list("book_id", flat=True))
    for book_id in sorted(late):
        reopened = Book.objects.filter(pk=book_id, state=Book.State.FLAT).update(state=Book.State.EXITING, flat_at=None)
        if reopened:
            last = ExitGoal.objects.filter(book_id=book_id).order_by("-id").values_list("reason", flat=True).first()
            flatten.request(
                book_id, reason=last or "MANUAL", asked_by="engine:orders", why="an order filled after the book was closed"
            )


# --- many accounts at once ---------------------------------------------------------------------


def pump(*, seconds: float = 20.0) -> int:
    """Serve the accounts that asked for work, in parallel, until none asks. Returns how many turns were taken."""
    ends = clock.monotonic() + seconds
    turns = 0
    running: set[Future[None]] = set()
    with ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="account") as pool:
        while clock.monotonic() < ends:
            for account_id in wake.take():
                running.add(pool.submit(_turn, account_id))
                turns += 1
            if not running:
                break
            _, running = wait(running, timeout=PASS_S)
    return turns


def _turn(account_id: int) -> None:
    """One account's turn in a thread of its own; a second worker for the same account leaves it a note instead."""
    close_old_connections()
    try:
        with _alone(account_id) as mine:
            again = account(account_id) if mine else False
        if again or _was_noted(account_id):
            wake.wake([account_id])
    except Exception:
        log.exception("work failed account=%s", account_id)
    finally:
        connection.close()


@contextmanager
def _alone(account_id: int) -> Iterator[bool]:
    """Spares double reads; safety does not depend on it, so no Redis means go on."""
    key = f"am:working:{account_id}"
    try:
        mine = bool(queue.client().set(key, process_name(), nx=True, ex=30))
        holder = None if mine else queue.client().get(key)
        if isinstance(holder, bytes) and poll.has_ended(holder.decode()):
            # Killed at its work: the account does not wait for the key to run out.
            mine = bool(queue.client().set(key, process_name(), ex=30))
        if not mine:
            queue.client().set(f"am:again:{account_id}", 1, ex=30)
    except (redis.RedisError, OSError):
        mine = True
    try:
        yield mine
    finally:
        if mine:
            _forget(key)


def _was_noted(account_id: int) -> bool:
    try:
        return bool(queue.client().delete(f"am:again:{account_id}"))
    except (redis.RedisError, OSError):
        return False


def _forget(key: str) -> None:
    try:
        queue.client().delete(key)
    except (redis.RedisError, OSError):
        log.warning("key not freed key=%s", key)


def due_accounts() -> list[int]:
    """Accounts that need a turn by their rows alone: what the beat asks, so that nothing depends on a message."""
    now = clock.now()
    active = set(Account.objects.filter(archived_at=None).values_list("pk", flat=True))
    due = set(Order.objects.filter(state__in=LIVE).values_list("account_id", flat=True))
    due |= set(
        Order.objects.filter(state=OrderState.INITIALIZED, book__state=Book.State.OPEN).values_list("account_id", flat=True)
    )
    due |= set(ExitGoal.objects.exclude(state="DONE").values_list("book__account_id", flat=True))
    due |= convert.waiting()
    opened = set(Position.objects.exclude(units=0).values_list("book__account_id", flat=True))
    attempted = dict(BrokerRead.objects.filter(kind="ORDERS").values_list("account_id", "attempted_at"))
    for account_id in active:
        at = attempted.get(account_id)
        interval = settings.POLL_OPEN_S if account_id in opened else settings.POLL_IDLE_S
        if at is None or (now - at).total_seconds() >= interval:
            due.add(account_id)
    return sorted(due)
