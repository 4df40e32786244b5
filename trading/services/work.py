"""Everything one account needs now: exits first, then reads, then entries, until nothing moves."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, wait
from itertools import count

import redis
from django.conf import settings
from django.db import DatabaseError, OperationalError, close_old_connections, transaction

from accounts.models import Account, BrokerRead
from algomirror.kernel import clock
from algomirror.ops import alarms, direct, seats, threads
from algomirror.ops.lease import has_ended, process_name
from trading.domain.orders import LIVE_STATES, OrderState
from trading.models import Book, ExitGoal, Order, Position
from trading.services import apply, cancel, convert, enter, flatten, glance, moments, poll, rest, wake

log = logging.getLogger(__name__)

PASS_S = 0.05
LONGEST_PAUSE_S = 0.25
TURN_S = 6.0
THREADS = 32
LINGER_S = 1.5
LISTEN_S = 0.5
SAY_AGAIN_S = 0.5
# While so many turns wait to begin, accounts are left to a second pump, which is called: a process computes on one core.
CROWD = 2
LEAVE_SOME_S = 0.004
CALL_AGAIN_S = 0.1
HELPERS_LINGER_S = 0.3
# Longer than any one call takes; a host that died with an account in hand keeps it from the others for so long.
HELD_S = 20
# The one who has it looks many times within this.
NOTED_S = 30

LIVE = [s.value for s in LIVE_STATES]
_turns = count(1)


def account(account_id: int, *, turn_s: float = TURN_S, sleep: Callable[[float], None] = time.sleep) -> bool:
    """Work on one account while news is expected within moments, at most `turn_s`. True when it wants another turn at once.

    What only waits (a resting order, a frozen book, a halted account) is left to the beat.
    """
    ends = clock.monotonic() + turn_s
    now: glance.Glance | None = None
    while True:
        # Nobody asked meanwhile: what was seen before the pause will do to decide what to read next.
        known = None if now is None or _is_noted(account_id) else now
        is_busy, now = _pass(account_id, known)
        is_asked = poll.is_asked_ahead(account_id)
        if not is_busy or not (is_asked or now.expects_news()):
            return False
        due_in = 0.0 if is_asked else now.read_due_in()
        # A read that has become due while orders went out is asked for at once; each read puts the next one off.
        pause = min(max(due_in, PASS_S), LONGEST_PAUSE_S) if due_in > 0 else 0.0
        if clock.monotonic() + pause >= ends:
            return True
        with seats.left():
            sleep(pause)


def step(account_id: int) -> bool:
    """One pass: goals, a read if one is due, entries. True while orders work, goals are open or entries wait."""
    return _pass(account_id)[0]


def _pass(account_id: int, known: glance.Glance | None = None) -> tuple[bool, glance.Glance]:
    with wake.gathered():
        now = glance.at(account_id) if known is None else glance.later(known)
        if now.is_behind and moments.bring_back(account_id):
            now = glance.at(account_id)
        if _catch_late_fills(now):
            now = glance.at(account_id)
        is_due = not now.has_books_read
        if now.goals:
            seats.hurry()
            is_due = is_due or now.read_due_in() <= 0
        if now.has_books_read and (first := now.new_goals if is_due else now.goals):
            _each(flatten.drive, first)
            now = glance.at(account_id)
        if is_due or poll.is_asked_ahead(account_id) or now.read_due_in() <= 0:
            poll.account(account_id, positions=bool(now.goals) or now.follows_price or now.positions_due())
            _each(flatten.drive, now.goals)
            now = glance.at(account_id)
        if strays := now.strays:
            _each(_cancel_stray, strays)
            now = glance.at(account_id)
        is_entering = bool(now.books_with_entries)
        if now.has_books_read and is_entering:
            is_entering = _each(enter.drive, now.books_with_entries)
            if poll.is_asked_ahead(account_id):
                # What was sent is answered, and what the books say of it comes next, whatever the rows say.
                return True, now
            now = glance.again(now)
        for book in rest.idle(now.open_runs - now.books_in_use, by=apply.ENGINE):
            apply.after(book.pk)
        return is_entering or now.is_working or bool(now.goals), now


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


def _cancel_stray(order_id: int) -> bool:
    return cancel.request(order_id, asked_by=apply.ENGINE, why="nobody wants it any more, and it works at the broker")


def _catch_late_fills(now: glance.Glance) -> bool:
    """A fill, or a lost order that turned up, opens its closed book again; the machine only ever reduces it."""
    caught = False
    for book_id in now.closed_books_with_something:
        with transaction.atomic():
            if not Book.objects.filter(pk=book_id, state=Book.State.FLAT).update(state=Book.State.EXITING, flat_at=None):
                continue
            last = ExitGoal.objects.filter(book_id=book_id).order_by("-id").values_list("reason", flat=True).first()
            why = "an order filled, or works, after the book was closed"
            if flatten.request(book_id, reason=last or "MANUAL", asked_by="engine:orders", why=why) is None:
                # What was seen has ended meanwhile: a book is not left exiting without a goal.
                transaction.set_rollback(True)
                continue
        caught = True
    return caught


# --- many accounts at once ---------------------------------------------------------------------


def pump(*, seconds: float = 20.0, linger_s: float = LINGER_S) -> int:
    """Serve the accounts that ask for work, in parallel. Returns how many turns were taken.

    When none asks any more one pump stays a moment and then calls for its relief, so that whoever asks next is served at once.
    """
    with wake.heralded():
        return _pump(seconds, linger_s)


def _pump(seconds: float, linger_s: float) -> int:
    idle_since = clock.monotonic()
    ends = idle_since + seconds
    said_at, called_at, is_heard = -SAY_AGAIN_S, -CALL_AGAIN_S, False
    name, turns = f"{process_name()}:{threading.get_ident()}", 0
    # Each thread keeps its connection to the database.
    turns_in = threads.pool("account", THREADS)
    running: set[Future[None]] = set()
    while (now := clock.monotonic()) < ends:
        running = {turn for turn in running if not turn.done()}
        # None waits here for a thread that another account has: whoever has one to spare takes it.
        room = min(wake.SHARE, THREADS - len(running)) if seats.newcomers() < CROWD else 0
        may_call = now - called_at >= CALL_AGAIN_S
        taken, left = wake.take(room) if room or may_call else ([], 0)
        running |= {turns_in.submit(_turn, pk) for pk in taken}
        turns += len(taken)
        if now - said_at >= SAY_AGAIN_S:
            is_heard, said_at = wake.stand_by(name), now
        if running:
            idle_since = now
        elif now - idle_since >= (linger_s if is_heard else HELPERS_LINGER_S):
            break
        if left and may_call:
            wake.share()
            called_at = now
        if not room:
            time.sleep(LEAVE_SOME_S)
        elif not taken:
            wake.listen(PASS_S if running else LISTEN_S)
    wake.stand_down(name)
    wait(running)
    return turns


def _turn(account_id: int) -> None:
    """One account's turn in a thread of its own; a second worker for the same account leaves it a note instead."""
    close_old_connections()
    try:
        is_mine, is_heard = _hold(account_id)
        again = False
        try:
            again = _seated(account_id) if is_mine else not is_heard
        finally:
            if (is_mine and _let_go(account_id)) or again:
                wake.wake([account_id])
    except OperationalError:
        log.warning("work put off account=%s", account_id, exc_info=True)
    except Exception as error:
        log.exception("work failed account=%s", account_id)
        _ring(account_id, error)
    finally:
        close_old_connections()


def _ring(account_id: int, error: Exception) -> None:
    """Its orders are not followed and its exits not driven: the beat tries again, and nobody would hear of it."""
    text = f"Account {account_id} cannot be worked: {type(error).__name__}: {error}"
    try:
        alarms.ring("DRIVE_FAILED", text, key=f"account:{account_id}", account_id=account_id)
    except DatabaseError:
        log.exception("alarm not stored account=%s", account_id)


def _seated(account_id: int) -> bool:
    with seats.taken():
        return account(account_id)


def _hold(account_id: int) -> tuple[bool, bool]:
    """Whether the account is ours; where another has it, whether that one still had it when our note lay there.

    Spares double reads; safety does not depend on it, so no Redis means go on.
    """
    key, mine = _held(account_id), f"{process_name()} {next(_turns)}"
    try:
        if direct.usual.one("SET", key, mine, "NX", "EX", HELD_S):
            return True, True
        said = direct.usual.one("GET", key)
        holder = said.decode() if isinstance(said, bytes) else ""
        # Taken by this very turn, where the answer was lost and the question asked again.
        if holder == mine:
            return True, True
        # Killed at its work: the account does not wait for the key to run out.
        if holder and has_ended(holder.partition(" ")[0]):
            direct.usual.one("SET", key, mine, "EX", HELD_S)
            return True, True
        _, is_heard = direct.usual.ask(("SET", _note(account_id), 1, "EX", NOTED_S), ("EXISTS", key))
        return False, bool(is_heard)
    except (redis.RedisError, OSError):
        return True, True


def _let_go(account_id: int) -> bool:
    """Whether somebody left a note. The account is free before that is looked for: who comes later finds it free."""
    try:
        return bool(direct.usual.ask(("DEL", _held(account_id)), ("DEL", _note(account_id)))[1])
    except (redis.RedisError, OSError):
        log.warning("account not freed account=%s", account_id)
        return False


def _is_noted(account_id: int) -> bool:
    """Whether somebody asked meanwhile; whoever looks goes on holding the account."""
    try:
        return bool(direct.usual.ask(("EXISTS", _note(account_id)), ("EXPIRE", _held(account_id), HELD_S))[0])
    except (redis.RedisError, OSError):
        return True


def _held(account_id: int) -> str:
    return f"am:working:{account_id}"


def _note(account_id: int) -> str:
    return f"am:again:{account_id}"


def due_accounts() -> list[int]:
    """Accounts that need a turn by their rows alone: what the beat asks, so that nothing depends on a message."""
    now = clock.now()
    archived = dict(Account.objects.values_list("pk", "archived_at"))
    active = {pk for pk, at in archived.items() if at is None}
    # By account, as the index has it.
    orders = Order.objects.filter(account_id__in=list(archived)).order_by()
    due = set(orders.filter(state__in=LIVE).values_list("account_id", flat=True))
    due |= set(orders.filter(state=OrderState.INITIALIZED, book__state=Book.State.OPEN).values_list("account_id", flat=True))
    due |= set(ExitGoal.objects.exclude(state="DONE").order_by().values_list("book__account_id", flat=True))
    due |= convert.waiting()
    opened = set(Position.objects.exclude(units=0).values_list("book__account_id", flat=True))
    opened |= set(glance.ended_lately(now - glance.DOUBTED_FOR, now - glance.LOST_FOR).values_list("account_id", flat=True))
    attempted = dict(BrokerRead.objects.filter(kind="ORDERS").values_list("account_id", "attempted_at"))
    for account_id in active:
        at = attempted.get(account_id)
        interval = settings.POLL_OPEN_S if account_id in opened else settings.POLL_IDLE_S
        # Asked in the future: the clock was set back.
        if at is None or not 0 <= (now - at).total_seconds() < interval:
            due.add(account_id)
    return sorted(due)
