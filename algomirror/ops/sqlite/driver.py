"""A prepared statement handed to SQLite's driver itself, past Django's cursor, which costs more than the database does."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from functools import cache, lru_cache
from threading import get_ident
from typing import Any, TypeVar

from django.conf import settings

T = TypeVar("T")
_PLACE = re.compile(r"(?<!%)%s")


@cache
def _is_logged() -> bool:
    return bool(settings.DEBUG)


def is_watched(connection: Any) -> bool:
    """Somebody wants to see each statement."""
    return bool(connection.force_debug_cursor or connection.execute_wrappers or _is_logged())


def run(connection: Any, sql: str, bound: list[Any], take: Callable[[Any], T], *, many: bool = False) -> T:
    """What `take` finds at the cursor; `many`: once for each of these parameters.

    On SQLite without Django's cursor, which costs more than the database does: its checks and its errors are kept.
    """
    if connection.vendor != "sqlite" or is_watched(connection):
        with connection.cursor() as cursor:
            (cursor.executemany if many else cursor.execute)(sql, bound)
            return take(cursor)
    if connection.connection is None:
        connection.ensure_connection()
    # Asked here what they ask first: most statements are for nobody's eyes but their own thread's, and nothing is broken.
    if not connection._thread_sharing_count and connection._thread_ident != get_ident():
        connection.validate_thread_sharing()
    if connection.needs_rollback:
        connection.validate_no_broken_transaction()
    driver = connection.connection
    try:
        return take((driver.executemany if many else driver.execute)(_with_question_marks(sql), bound))
    except sqlite3.Error:
        with connection.wrap_database_errors:
            raise


def with_texts_inside(sql: str, parameters: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """Constant texts stand in the statement itself. Where SQLite holds a parameter against the condition of a partial index,
    it plans the statement anew each time one is bound, even to the same value (its `sqlite3_stmt_status` counts them)."""
    first, *rest = _PLACE.split(sql)
    written, left = [first], []
    for parameter, text in zip(parameters, rest, strict=True):
        if type(parameter) is str and "\0" not in parameter:
            quoted = parameter.replace("'", "''").replace("%", "%%")
            written.append(f"'{quoted}'{text}")
        else:
            left.append(parameter)
            written.append(f"%s{text}")
    return "".join(written), tuple(left)


@lru_cache(2_048)
def _with_question_marks(sql: str) -> str:
    return _PLACE.sub("?", sql).replace("%%", "%")
