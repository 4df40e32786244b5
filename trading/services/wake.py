"""Telling the orders cluster that an account has work, and everybody else that a book has news.

Lost news costs a beat, never correctness.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import redis
from django.db import close_old_connections, connection, transaction

from algomirror.ops import direct, hooks, push, queue

log = logging.getLogger(__name__)

DUE = "am:work:due"
BELL = "am:work:bell"
STANDING = "am:work:standing"
STANDING_S = 2
SHARE = 3
HERALD_RESTS_S = 0.25

_gathered: ContextVar[set[int] | None] = ContextVar("gathered", default=None)


def wake(account_ids: Iterable[int]) -> None:
    """Once the caller's transaction is committed, have these accounts worked on by the first free worker."""
    ids = sorted(set(account_ids))
    if ids:
        transaction.on_commit(lambda: _wake(ids))


def _wake(ids: list[int]) -> None:
    try:
        pumps = 2 if len(ids) > SHARE else 1
        *_, is_heard = direct.usual.ask(("SADD", DUE, *ids), *_rings(pumps), ("EXISTS", STANDING))
    except (redis.RedisError, OSError) as error:
        log.warning("wake lost accounts=%s error=%s", ids, type(error).__name__)
        return
    if not is_heard:
        call_a_pump()


def _rings(pumps: int = 1) -> tuple[direct.Command, direct.Command]:
    """For so many that listen, two at most. Old rings are worth nothing."""
    return ("LPUSH", BELL, *[1] * pumps), ("LTRIM", BELL, 0, 1)


def expect(accounts: int) -> None:
    """So many accounts are about to ask at once: where one pump does not take them all, a second begins to listen."""
    if accounts > SHARE:
        call_a_pump()


def share() -> None:
    """There is more than the caller can do: a second pump that still listens takes some, or is called."""
    try:
        direct.usual.ask(*_rings())
    except (redis.RedisError, OSError):
        return
    call_a_pump()


def call_a_pump() -> None:
    """Two slots: while one pump is busy a second one may start, a third would find nothing to do."""
    for slot in ("a", "b"):
        if queue.enqueue("orders", "trading.tasks.pump", key=f"pump:{slot}", waits_s=3):
            return


def take(most: int = SHARE) -> tuple[list[int], int]:
    """Some of the accounts that asked for work, and how many are left for the next to ask; none when Redis is down."""
    try:
        found, left = direct.usual.ask(("SPOP", DUE, most), ("SCARD", DUE))
    except (redis.RedisError, OSError):
        return [], 0
    return sorted(int(x) for x in found or ()), int(left)


def stand_by(name: str) -> bool:
    """Say that `name` is listening; False when another one already is, or nobody can say."""
    try:
        if direct.usual.one("SET", STANDING, name, "NX", "EX", STANDING_S):
            return True
        if direct.usual.one("GET", STANDING) != name.encode():
            return False
        direct.usual.one("EXPIRE", STANDING, STANDING_S)
    except (redis.RedisError, OSError):
        return False
    return True


def stand_down(name: str) -> None:
    """`name` listens no more: its relief is called, which also finds whoever asked in this very moment."""
    try:
        if direct.usual.one("GET", STANDING) != name.encode():
            return
        direct.usual.one("DEL", STANDING)
    except (redis.RedisError, OSError):
        return
    call_a_pump()


def listen(seconds: float) -> bool:
    """Until somebody asks for work, at most so long. True when somebody did."""
    try:
        return direct.usual.one("BLPOP", BELL, str(seconds)) is not None
    except (redis.RedisError, OSError):
        time.sleep(seconds)
        return False


def book_changed(book_id: int) -> None:
    """News of a book, after commit: to its run, and to whoever looks at it."""
    transaction.on_commit(lambda: _book_changed(book_id))


def _book_changed(book_id: int) -> None:
    gathered = _gathered.get()
    if gathered is not None:
        gathered.add(book_id)
        return
    _tell([book_id])


@contextmanager
def gathered() -> Iterator[set[int]]:
    """News of books inside is told once a book, at `tell` and at the end. Who empties the set tells it later."""
    news: set[int] = set()
    token = _gathered.set(news)
    try:
        yield news
        tell()
    except Exception:
        tell()
        raise
    finally:
        _gathered.reset(token)


def tell() -> None:
    """Tell what was gathered so far."""
    gathered = _gathered.get()
    if gathered:
        books = sorted(gathered)
        gathered.clear()
        _tell(books)


def _tell(book_ids: list[int]) -> None:
    if (herald := _herald) is not None:
        herald.put(book_ids)
    else:
        _announce(book_ids)


def _announce(book_ids: Iterable[int]) -> None:
    hooks.call("books_changed", book_ids)
    push.push("orders", "changed")
    push.push("positions", "changed")


class _Herald:
    """Tells news in a thread of its own, so that what many accounts have to say of one run is told together."""

    def __init__(self) -> None:
        self._books: set[int] = set()
        self._putting, self._bell, self._ends = threading.Lock(), threading.Event(), False
        self._thread = threading.Thread(target=self._run, name="herald", daemon=True)
        self._thread.start()

    def put(self, book_ids: Iterable[int]) -> None:
        with self._putting:
            self._books.update(book_ids)
        self._bell.set()

    def end(self) -> None:
        """Once everything is told."""
        self._ends = True
        self._bell.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._ends or self._books:
                self._bell.wait()
                self._bell.clear()
                with self._putting:
                    books, self._books = self._books, set()
                self._tell(books)
                time.sleep(0 if self._ends else HERALD_RESTS_S)
        finally:
            connection.close()

    @staticmethod
    def _tell(books: set[int]) -> None:
        close_old_connections()
        try:
            if books:
                _announce(sorted(books))
        except Exception:
            # The next news, or the beat, says it again.
            log.exception("news not told books=%s", sorted(books))


_herald: _Herald | None = None


@contextmanager
def heralded() -> Iterator[None]:
    """Inside, news of this process is told by a thread; told when it ends, at the latest."""
    global _herald
    mine = _herald = _Herald()
    try:
        yield
    finally:
        if _herald is mine:
            _herald = None
        mine.end()
