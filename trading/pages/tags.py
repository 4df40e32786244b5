"""An account as tables show it, and how old each of its broker's books is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from accounts.models import Account, BrokerRead
from trading.models import Book


@dataclass(frozen=True, slots=True)
class Tag:
    account_id: int
    name: str
    colour: str
    mode: str


@dataclass(frozen=True, slots=True)
class Owner:
    """Who an order or a position belongs to. `url` is empty where there is no page of it."""

    text: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class ReadState:
    """`as_of` is the last complete read, None when there never was one; `error` says why the last attempt failed."""

    tag: Tag
    as_of: datetime | None
    error: str
    attempted_at: datetime | None


def tag_of(account: Account) -> Tag:
    return Tag(account.pk, account.name, account.colour_hex, account.mode)


def owner_of(book: Book) -> Owner:
    """Needs the book's run selected along."""
    return owner_named(book.run_id, None if book.run is None else book.run.name)


def owner_named(run_id: int | None, name: str | None) -> Owner:
    return Owner("Ticket") if run_id is None or name is None else Owner(name, f"/runs/{run_id}")


def active_accounts() -> list[Account]:
    return list(Account.objects.filter(archived_at=None))


def read_states(accounts: Iterable[Account], kind: str) -> list[ReadState]:
    """One query, whatever the number of accounts; in the accounts' order."""
    accounts = list(accounts)
    rows = {
        account_id: (finished, error, attempted)
        for account_id, finished, error, attempted in BrokerRead.objects.filter(account__in=accounts, kind=kind).values_list(
            "account_id", "finished_at", "error", "attempted_at"
        )
    }
    return [ReadState(tag_of(account), *rows.get(account.pk, (None, "", None))) for account in accounts]
