"""The hash chain over the journal.

A row is sealed some seconds after it was written, by one task that appends links in batches. Sealing inside the
writer's transaction would make every order wait for one hot row; sealing later costs the writer nothing. Links follow
the order of sealing, not of ids, because on PostgreSQL a lower id may become visible after a higher one. Two sealers
at once collide on the unique position, and the second drops its batch.

The chain is unkeyed: whoever can rewrite the whole table could rewrite it too. Therefore the newest link is written
to the log every hour, outside the database, and `verify` can be given such a remembered link.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any

from django.db import IntegrityError, models, transaction

from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops.models import Journal, JournalCheckpoint, JournalSeal

Row = tuple[Any, ...]

FIRST = "0" * 64
HEAD = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")
BATCH = 500
# Rows younger than this may still have neighbours whose transactions are open.
SETTLED = timedelta(seconds=2)
# How far below the newest sealed id a row may surface late; all ids of transactions that were open together.
LOOK_BACK = 5_000
# An unsealed row older than this means that sealing stood still.
LATE = timedelta(minutes=15)
_COLUMNS = (
    "pk", "at", "kind", "actor", "run_id", "account_id", "book_id", "order_id",
    "subject", "moved_from", "moved_to", "why", "numbers", "from_address",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """`broken` is the id of the first journal row that does not fit its link, None when all do; `why` says what is wrong."""

    checked: int
    unsealed: int
    head: str
    broken: int | None = None
    why: str = ""

    @property
    def is_intact(self) -> bool:
        return not self.why


def link(before: str, row: Sequence[object]) -> str:
    """The digest of a row's content and of the link before it."""
    content = [value.astimezone(UTC).isoformat() if hasattr(value, "astimezone") else value for value in row]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return hashlib.sha256(f"{before}\n{text}".encode()).hexdigest()


def seal(*, at_most: int = BATCH, everywhere: bool = False) -> int:
    """Append links for settled rows without one; how many. 0 also when another sealer was faster.

    Looks among the newest rows, where nearly all of them are; `everywhere` looks through the whole journal.
    """
    waiting = _unsealed() if everywhere else _unsealed().filter(pk__gt=_newest_sealed() - LOOK_BACK)
    rows = list(waiting.filter(at__lte=clock.now() - SETTLED).order_by("pk").values_list(*_COLUMNS)[:at_most])
    if not rows:
        return 0
    position, digest = _head()
    links = []
    for row in rows:
        position, digest = position + 1, link(digest, row)
        links.append(JournalSeal(position=position, journal_id=row[0], digest=digest))
    try:
        with transaction.atomic():
            JournalSeal.objects.bulk_create(links)
    except IntegrityError:
        return 0
    return len(links)


def seal_all(*, everywhere: bool = False) -> int:
    """Until nothing settled is left, or another sealer is at work."""
    total = 0
    while done := seal(everywhere=everywhere):
        total += done
    return total


def head() -> str:
    """`position:digest` of the newest link; to be remembered outside the database."""
    return "{}:{}".format(*_head())


def _head() -> tuple[int, str]:
    newest = JournalSeal.objects.order_by("-position").values_list("position", "digest").first()
    return newest or begins()


def begins() -> tuple[int, str]:
    """The link before the oldest that is kept."""
    return JournalCheckpoint.objects.order_by("-position").values_list("position", "digest").first() or (0, FIRST)


def _newest_sealed() -> int:
    return JournalSeal.objects.aggregate(top=models.Max("journal_id"))["top"] or 0


def _unsealed() -> models.QuerySet[Journal]:
    has_link = JournalSeal.objects.filter(journal_id=models.OuterRef("pk"))
    return Journal.objects.filter(~models.Exists(has_link))


def verify(*, remembered: str = "") -> Verdict:
    """Walk the whole chain. `remembered` is a `position:digest` noted earlier: it must still be on the chain."""
    begin, digest = begins()
    position, wanted = begin, _parsed(remembered)
    if why := _fault_of_beginning(begin, digest, wanted):
        return Verdict(0, _unsealed().count(), f"{begin}:{digest}", None, why)
    for links in batches(begin):
        rows = rows_of(links)
        for at, journal_id, kept in links:
            position += 1
            why = _fault(at, position, rows.get(journal_id), digest, kept)
            if not why and wanted is not None and wanted[0] == at and wanted[1] != kept:
                why = "The chain was rewritten: this link is not the one that was remembered."
            if why:
                return Verdict(position - 1 - begin, _unsealed().count(), f"{position - 1}:{digest}", journal_id, why)
            digest = kept
    if wanted is not None and wanted[0] > position:
        why = "The chain was cut: the remembered link is missing at its end."
        return Verdict(position - begin, _unsealed().count(), f"{position}:{digest}", None, why)
    return _at_the_end(position, digest, begin)


def _fault_of_beginning(position: int, digest: str, wanted: tuple[int, str] | None) -> str:
    """A checkpoint counts when the journal says that rows were let go up to it."""
    if (
        position
        and not Journal.objects.filter(kind="journal.let_go", numbers__position=position, numbers__digest=digest).exists()
    ):
        return f"The chain was cut: the journal does not say that rows up to link {position} were let go."
    if wanted is None or wanted[0] > position:
        return ""
    known = JournalCheckpoint.objects.filter(position=wanted[0]).values_list("digest", flat=True).first()
    if known is not None and known != wanted[1]:
        return "The chain was rewritten: this link is not the one that was remembered."
    return "" if known is not None else f"The remembered link is older than what is kept, which begins after link {position}."


def _fault(at: int, position: int, row: Sequence[object] | None, before: str, kept: str) -> str:
    if at != position:
        return f"Link {position} is missing: a row and its seal were removed."
    if row is None:
        return "This row was removed."
    return "" if link(before, row) == kept else "This row is not what was sealed: it was altered."


def _at_the_end(position: int, digest: str, begin: int) -> Verdict:
    late = _unsealed().filter(at__lte=clock.now() - LATE).order_by("pk").values_list("pk", flat=True).first()
    why = "" if late is None else "This row was never sealed: it was slipped in, or sealing stands still."
    return Verdict(position - begin, _unsealed().count(), f"{position}:{digest}", late, why)


def rows_of(links: Sequence[tuple[int, int, str]]) -> dict[int, Row]:
    """The sealed content of these links' rows by id, its second column the time."""
    return {row[0]: row for row in Journal.objects.filter(pk__in=[x[1] for x in links]).values_list(*_COLUMNS)}


def batches(after: int) -> Iterator[list[tuple[int, int, str]]]:
    """Position, row id and digest of the links after this position, in order."""
    seen = after
    while links := list(
        JournalSeal.objects.filter(position__gt=seen).order_by("position").values_list("position", "journal_id", "digest")[:BATCH]
    ):
        yield links
        seen = links[-1][0]


def _parsed(remembered: str) -> tuple[int, str] | None:
    """None when none was given. Refused when it is no head: a slip in copying must not pass for a proof."""
    if not remembered:
        return None
    head = HEAD.fullmatch(remembered.strip())
    if head is None:
        raise Refused("This is no head of the journal.", fields={"remembered": "POSITION:DIGEST, as a log says it"})
    return int(head[1]), head[2]
