"""The connection to the database of a thread that works for the order path, which asks for it some three hundred times an
account.

Django keeps connections where coroutines are told apart, which takes three calls each time. A thread that sits, or writes for
those that sit, never runs an event loop: it keeps in hand the very connection that Django has for it. Everybody else asks
Django, since a thread whose event loop runs has another connection there than while it does not, and what is written inside
a transaction has to be written by the connection that began it.
"""

from __future__ import annotations

import threading
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections


class _Hand(threading.local):
    connection: Any = None


_hand = _Hand()


def connection() -> Any:
    """This thread's, as `django.db.connection` stands for it."""
    mine = _hand.connection
    return connections[DEFAULT_DB_ALIAS] if mine is None else mine


def keep() -> None:
    """From here on this thread, which never runs an event loop, has its connection in hand."""
    _hand.connection = connections[DEFAULT_DB_ALIAS]


def work_with(other: Any, *, in_hand: bool) -> None:
    """This thread's connection from here on; the one it had is nobody's."""
    connections[DEFAULT_DB_ALIAS] = other
    _hand.connection = other if in_hand else None
