"""What every call to another host asks first."""

from __future__ import annotations

from django.db import transaction


class InTransaction(RuntimeError):
    """Another host was about to be called inside a database transaction, where what it answered could be rolled back."""


def refuse_in_transaction() -> None:
    """Raise unless the wire may be touched. The transaction a test case wraps around itself does not count."""
    connection = transaction.get_connection()
    if not connection.in_atomic_block:
        return
    blocks = getattr(connection, "atomic_blocks", [])
    if not blocks or not all(getattr(block, "_from_testcase", False) for block in blocks):
        raise InTransaction("no network inside a transaction")
