"""What the limits of each account still leave for one plan; the gate looks at the same limits again when it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from accounts.models import Account
from algomirror.kernel import clock
from algomirror.kernel.money import ZERO
from risk.domain.ceilings import Usage
from risk.domain.sizing import Caps
from risk.models import AccountLimits
from risk.services.ceilings import usage


def caps_of(accounts: Sequence[Account]) -> dict[int, Caps]:
    """By account id; accounts without limits are absent."""
    rows = {row.account_id: row for row in AccountLimits.objects.filter(account__in=accounts)}
    if not rows:
        return {}
    stands = usage(clock.now())
    return {account_id: _left(row, stands.get(account_id, Usage())) for account_id, row in rows.items() if account_id is not None}


def _left(row: AccountLimits, used: Usage) -> Caps:
    minute = _less(row.orders_per_minute, used.orders_this_minute)
    day = _less(row.orders_per_day, used.orders_today)
    return Caps(
        lots=_less(row.max_lots, used.lots),
        notional=_worth_left(row.max_notional, used.notional),
        orders=min((left for left in (minute, day) if left is not None), default=None),
    )


def _less(limit: int | None, used: int) -> int | None:
    return None if limit is None else max(limit - used, 0)


def _worth_left(limit: Decimal | None, used: Decimal | None) -> Decimal | None:
    """With a limit and something open of unknown worth nothing is left."""
    if limit is None:
        return None
    return ZERO if used is None else max(limit - used, ZERO)
