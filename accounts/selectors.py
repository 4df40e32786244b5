"""What pages and other rooms read about accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import models

from accounts.gateway.reports import Funds
from accounts.models import Account, BrokerRead, Invite, User
from accounts.reads import funds_of
from algomirror.kernel import clock


@dataclass(frozen=True, slots=True)
class Card:
    """One account as the accounts page shows it. `funds` None: never read; `error`: why the last attempt failed."""

    account: Account
    funds: Funds | None
    as_of: datetime | None
    error: str
    may_rise: bool = False  # among the backups

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
    first_backup = next((a.pk for a in accounts if not a.is_primary), None)
    for account in accounts:
        row = kept.get(account.pk)
        may_rise = not account.is_primary and account.pk != first_backup
        found.append(Card(account, funds_of(row), row.finished_at if row else None, row.error if row else "", may_rise))
    return found


def archived_accounts() -> list[Account]:
    return list(Account.objects.exclude(archived_at=None).order_by("-archived_at"))


def people() -> list[User]:
    """Everybody, the owner first, each with `has_second_factor`."""
    is_owner = models.Case(models.When(role=User.Role.OWNER, then=0), default=1)
    confirmed = models.Q(second_factor__confirmed_at__isnull=False)
    has = models.ExpressionWrapper(confirmed, output_field=models.BooleanField())
    rows = User.objects.annotate(has_second_factor=has).prefetch_related("assigned")
    return list(rows.order_by(is_owner, "username"))


def open_invites() -> list[Invite]:
    return list(Invite.objects.filter(used_at=None, withdrawn_at=None, expires_at__gt=clock.now()))
