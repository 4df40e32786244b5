"""Letting go of journal rows that are older than they must be kept, so that the chain over the others still proves them.

The oldest links are walked once more, the last of them becomes the checkpoint from which `chain.verify` begins, and
a journal row says so, inside the chain. The database refuses to delete anything that no checkpoint covers.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import connection, transaction

from algomirror.kernel import clock
from algomirror.ops import alarms, chain, journal
from algomirror.ops.models import JournalCheckpoint

AT_ONCE = 20_000
LET_GO = "journal.let_go"


def let_go(*, kept: timedelta, at_most: int = AT_ONCE) -> int:
    """Delete sealed rows older than `kept`, the oldest first; how many. 0, and an alarm, when their links do not fit."""
    position, digest = chain.begins()
    begin, last_at, cut = position, None, clock.now() - kept
    for at, row, seal in _old(position, at_most):
        if row[1] >= cut:
            break
        if at != position + 1 or chain.link(digest, row) != seal:
            alarms.ring("JOURNAL_BROKEN", f"Old journal rows were not let go: row {row[0]} does not fit its seal.")
            return 0
        position, digest, last_at = at, seal, row[1]
    if last_at is None:
        return 0
    _discard(position, digest, last_at, rows=position - begin)
    return position - begin


def _old(after: int, at_most: int) -> Iterator[tuple[int, chain.Row, str]]:
    left = at_most
    for links in chain.batches(after):
        rows = chain.rows_of(links)
        for at, journal_id, seal in links:
            if left == 0 or journal_id not in rows:
                return
            left -= 1
            yield at, rows[journal_id], seal


def _discard(position: int, digest: str, last_at: datetime, *, rows: int) -> None:
    with transaction.atomic():
        JournalCheckpoint.objects.create(at=clock.now(), position=position, digest=digest, last_row_at=last_at, rows=rows)
        journal.record(LET_GO, actor="engine:retention", position=position, digest=digest, rows=rows, until=last_at)
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM ops_journal WHERE id IN (SELECT journal_id FROM ops_journalseal WHERE position <= %s)", [position]
            )
            cursor.execute("DELETE FROM ops_journalseal WHERE position <= %s", [position])
