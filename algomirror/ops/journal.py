"""The only writer of the journal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from algomirror.kernel import clock
from algomirror.ops import here, prepared
from algomirror.ops.models import Journal

prepared.will_insert(Journal)
_PLAIN = frozenset({str, int, bool, float, type(None)})
_address: ContextVar[str | None] = ContextVar("address", default=None)
# Rows that wait to be written, and how deep in savepoints they belong.
_waiting: ContextVar[tuple[list[dict[str, Any]], int] | None] = ContextVar("waiting", default=None)


@contextmanager
def acting_from(address: str | None) -> Iterator[None]:
    """What is recorded inside came from this network address."""
    token = _address.set(address)
    try:
        yield
    finally:
        _address.reset(token)


@contextmanager
def together() -> Iterator[None]:
    """What is recorded inside, in this very block of a transaction, is written in one go at the end.

    An error leaves it unwritten, as the block is taken back. What a block further in records is written there at once.
    """
    connection = here.connection()
    if not connection.in_atomic_block:
        raise RuntimeError("what is recorded together stands inside a transaction")
    rows: list[dict[str, Any]] = []
    token = _waiting.set((rows, len(connection.savepoint_ids)))
    try:
        yield
    finally:
        _waiting.reset(token)
    prepared.insert_named(Journal, rows)


def plain(value: Any) -> Any:
    """JSON-able, with decimals as exact text."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if isinstance(value, (dict, Mapping)):
        return {str(k): v if type(v) in _PLAIN else plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [v if type(v) in _PLAIN else plain(v) for v in value]
    return value


def record(
    kind: str,
    *,
    actor: str,
    why: str = "",
    subject: str = "",
    moved: tuple[str, str] | None = None,
    run_id: int | None = None,
    account_id: int | None = None,
    book_id: int | None = None,
    order_id: int | None = None,
    **numbers: Any,
) -> None:
    """Append one row, in the caller's transaction, so that the fact and its reason stand or fall together."""
    row = {
        "at": clock.now(),
        "kind": kind,
        "actor": actor,
        "why": why[:500],
        "subject": subject[:80],
        "moved_from": moved[0] if moved else "",
        "moved_to": moved[1] if moved else "",
        "run_id": run_id,
        "account_id": account_id,
        "book_id": book_id,
        "order_id": order_id,
        "numbers": plain(numbers),
        "from_address": _address.get(),
    }
    waiting = _waiting.get()
    if waiting is not None and waiting[1] == len(here.connection().savepoint_ids):
        waiting[0].append(row)
    else:
        prepared.insert_named(Journal, [row])
