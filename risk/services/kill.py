"""The kill switch: four levels, each the one before and more. It asks existing services and keeps its own word in the journal."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import models, transaction

from accounts.models import Account
from algomirror.kernel.errors import Refused
from algomirror.ops import alarms, hooks, journal
from risk.domain.states import KillLevel, TradingMode
from risk.services import switch
from trading.domain.orders import ENTRIES
from trading.models import Book, Order, Run
from trading.models.books import ExitReason
from trading.services import apply, cancel, flatten, wake

log = logging.getLogger(__name__)


@dataclass
class Done:
    """What was asked for. Progress after this is what book reads prove, not what is written here."""

    scope: str
    level: str
    cancels: int = 0
    goals: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


def kill(*, scope: str, target: int | None, level: str, by: str, reason: str = "") -> Done:
    """Restrict, then cancel, then ask for exits, as far as `level` goes. Safe to repeat; never loosens anything.

    Runs outside any transaction: cancels go on the wire. One account's failure holds up no other. External positions
    are never touched.
    """
    wanted = _level(level)
    books = _books(scope, target)
    why = reason.strip() or f"kill switch {wanted.value}"
    done = Done(scope=scope if target is None else f"{scope}:{target}", level=wanted.value)
    _restrict(scope, target, wanted, books, by=by, why=why)
    # Looked for anew: what was being started while this waited for the database is open by now. What begins later is refused.
    books = _books(scope, target)
    if wanted is KillLevel.FLATTEN:
        # Goals first in the database, cancels on the wire after: a hung server must not delay the wish to be flat.
        _each(books, done, lambda book: _flatten(book, done, by=by, why=why))
    if wanted is KillLevel.HALT:
        _each(books, done, lambda book: apply.freeze(book.pk, kind=switch.FROZEN_BY_HALT, why=why))
    if wanted is not KillLevel.REDUCE:
        _cancel(books, done, by=by, why=why)
    wake.wake({book.account_id for book in books})
    journal.record(
        "kill.done",
        actor=by,
        why=why,
        subject=done.scope,
        level=done.level,
        cancels=done.cancels,
        goals=done.goals,
        failures=done.failures,
    )
    return done


def scope_of(text: str) -> tuple[str, int | None]:
    """ "platform", "group:2", "account:3" and "run:12" as scope and target; Refused for anything else."""
    scope, colon, number = text.strip().partition(":")
    if not colon:
        return scope, None
    if not (number.isascii() and number.isdigit()):
        raise _unknown_scope()
    return scope, int(number)


def _unknown_scope() -> Refused:
    return Refused("Choose a scope: the platform, a group, an account or a run.", fields={"scope": "unknown scope"})


def _level(level: str) -> KillLevel:
    try:
        return KillLevel(level)
    except ValueError:
        raise Refused("Choose a level: REDUCE, CANCEL, FLATTEN or HALT.", fields={"level": "unknown level"}) from None


def _books(scope: str, target: int | None) -> list[Book]:
    """Every book in scope that is not confirmed flat. Refused for a scope that does not exist."""
    books = Book.objects.select_related("account").exclude(state=Book.State.FLAT).order_by("id")
    if scope == "platform" and target is None:
        return list(books)
    if target is None:
        raise Refused("Choose which group, account or run.", fields={"scope": "nothing chosen"})
    if scope == "group" and (members := hooks.call("group_accounts", target)) is not None:
        return list(books.filter(account_id__in=members))
    if scope == "account" and Account.objects.filter(pk=target).exists():
        return list(books.filter(account_id=target))
    if scope == "run" and Run.objects.filter(pk=target).exists():
        return list(books.filter(run_id=target))
    raise _unknown_scope()


def _restrict(scope: str, target: int | None, level: KillLevel, books: list[Book], *, by: str, why: str) -> None:
    state = TradingMode.HALTED if level is KillLevel.HALT else TradingMode.REDUCING
    with transaction.atomic():
        journal.record(
            "kill.asked",
            actor=by,
            why=why,
            subject=scope if target is None else f"{scope}:{target}",
            run_id=target if scope == "run" else None,
            account_id=target if scope == "account" else None,
            level=level.value,
            books=[book.pk for book in books],
        )
        if scope == "run":
            _reduce_books(books, by=by, why=why)
        else:
            for account in _accounts(scope, target):
                switch.set_state(account, state, by=by, why=why)
    alarms.ring("KILL_SWITCH", f"Kill switch {level.value} on {scope} {target or ''}: {why}", key=f"{scope}:{target}:{level}")


def _accounts(scope: str, target: int | None) -> list[Account | None]:
    """Whose trading state is set; None stands for the platform."""
    if target is None:
        return [None]
    members = hooks.call("group_accounts", target) if scope == "group" else [target]
    return list(Account.objects.filter(pk__in=members).order_by("pk"))


def _reduce_books(books: list[Book], *, by: str, why: str) -> None:
    """A run's books take no more entries; the trading state of its accounts is left alone."""
    for book in books:
        moved = Book.objects.filter(pk=book.pk, state=Book.State.OPEN).update(
            state=Book.State.REDUCING, version=models.F("version") + 1
        )
        # A book that a difference had reduced already is a person's from now on: no read opens it again.
        Book.objects.filter(pk=book.pk, state=Book.State.REDUCING).update(freeze_kind="")
        # One that is frozen now is not opened by its thaw.
        frozen = Book.objects.filter(pk=book.pk, state=Book.State.FROZEN, frozen_from=Book.State.OPEN)
        frozen.update(frozen_from=Book.State.REDUCING)
        if moved:
            journal.record(
                "book.reducing",
                actor=by,
                why=why,
                moved=("OPEN", "REDUCING"),
                run_id=book.run_id,
                account_id=book.account_id,
                book_id=book.pk,
            )


def _each(books: list[Book], done: Done, act: Callable[[Book], None]) -> None:
    """What cannot be done for one book holds up no other: it is named, and a person is told."""
    for book in books:
        try:
            with transaction.atomic():
                act(book)
        except Exception as error:
            log.exception("kill switch failed book=%s", book.pk)
            done.failures.append(f"book {book.pk}: {type(error).__name__}")
            text = f"{book}: the kill switch could not reach it ({type(error).__name__}: {error}); press it again"
            alarms.ring("KILL_INCOMPLETE", text, key=f"book:{book.pk}", run_id=book.run_id, account_id=book.account_id)


def _flatten(book: Book, done: Done, *, by: str, why: str) -> None:
    goal = flatten.request(book.pk, reason=ExitReason.KILL_SWITCH, asked_by=by, why=why)
    if goal is not None:
        done.goals.append(goal.pk)


def _cancel(books: list[Book], done: Done, *, by: str, why: str) -> None:
    entries = Order.objects.filter(
        book__in=books, purpose__in=[p.value for p in ENTRIES], state__in=cancel.UNFINISHED
    ).values_list("pk", flat=True)
    asked, failed = cancel.request_all(list(entries), asked_by=by, why=why)
    done.cancels += asked
    done.failures += [f"order {pk}: {type(error).__name__}" for pk, error in failed.items()]
