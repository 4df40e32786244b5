"""What the kill switch was asked, and how far the books prove it: fills for flat, complete reads for what is gone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from accounts.models import BrokerRead
from algomirror.ops.models import Journal
from trading.models import Book, Position

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Kill:
    """One press. `flat` of `books` are proven flat by fills; `read` of `accounts` had a whole position read since."""

    at: datetime
    by: str
    scope: str
    level: str
    why: str
    books: int
    flat: int
    accounts: int
    read: int

    @property
    def is_proven(self) -> bool:
        return self.flat == self.books and self.read == self.accounts


def history() -> list[Kill]:
    """Newest first, in four queries."""
    rows = list(Journal.objects.filter(kind="kill.asked").order_by("-id")[:SHOWN])
    ids = {pk for row in rows for pk in row.numbers.get("books", [])}
    owners = dict(Book.objects.filter(pk__in=ids).values_list("pk", "account_id"))
    holding = set(Position.objects.filter(book_id__in=ids).exclude(units=0).values_list("book_id", flat=True))
    reads = dict(
        BrokerRead.objects.filter(account_id__in=owners.values(), kind=BrokerRead.Kind.POSITIONS).values_list(
            "account_id", "finished_at"
        )
    )
    return [_kill(row, owners, holding, reads) for row in rows]


def _kill(row: Journal, owners: dict[int, int], holding: set[int], reads: dict[int, datetime | None]) -> Kill:
    books = [pk for pk in row.numbers.get("books", []) if pk in owners]
    accounts = {owners[pk] for pk in books}
    seen = [reads.get(account) for account in accounts]
    return Kill(
        at=row.at,
        by=row.actor,
        scope=row.subject,
        level=str(row.numbers.get("level", "")),
        why=row.why,
        books=len(books),
        flat=sum(pk not in holding for pk in books),
        accounts=len(accounts),
        read=sum(at is not None and at > row.at for at in seen),
    )
