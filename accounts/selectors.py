"""What pages and other rooms read about accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from accounts.gateway.reports import Funds
from accounts.models import Account, BrokerRead
from accounts.reads import funds_of


@dataclass(frozen=True, slots=True)
class Card:
    """One account as the accounts page shows it. `funds` None: never read; `error`: why the last attempt failed."""

    account: Account
    funds: Funds | None
    as_of: datetime | None
    error: str

    @property
    def m2m(self) -> Decimal | None:
        """Realised and unrealised as the broker reports them; unknown when either is."""
        if self.funds is None or self.funds.realised is None or self.funds.unrealised is None:
            return None
        return self.funds.realised + self.funds.unrealised

    @property
    def received_ms(self) -> int | None:
        at = self.account.last_good_at
        return None if at is None else int(at.timestamp() * 1000)


def active_accounts() -> list[Account]:
    """Primary first, then the backups in their order."""
    return list(Account.objects.filter(archived_at=None))


def cards() -> list[Card]:
    """All accounts in use, in two queries."""
    accounts = active_accounts()
    kept = {r.account_id: r for r in BrokerRead.objects.filter(kind=BrokerRead.Kind.FUNDS, account__archived_at=None)}
    found = []
    for account in accounts:
        row = kept.get(account.pk)
        found.append(Card(account, funds_of(row), row.finished_at if row else None, row.error if row else ""))
    return found


def archived_accounts() -> list[Account]:
    return list(Account.objects.exclude(archived_at=None).order_by("-archived_at"))
