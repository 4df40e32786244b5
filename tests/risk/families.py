"""Groups of accounts with a daily limit, and who is on the way out."""

from __future__ import annotations

from decimal import Decimal

from accounts.models import Account
from risk.services import grouped
from strategies.models import AccountGroup
from strategies.services import groups
from trading.models import ExitGoal


def family(*accounts: Account, name: str = "Family", **limits: Decimal) -> AccountGroup:
    """A group of these accounts, with these limits where any are given."""
    group = groups.save(name, {account.pk: Decimal(1) for account in accounts}, by="user:alice")
    if limits:
        grouped.set_limits(group.pk, limits, by="user:alice")
    return group


def leaving() -> set[int]:
    """Accounts of which a book has an open goal."""
    return {goal.book.account_id for goal in ExitGoal.objects.exclude(state="DONE")}
