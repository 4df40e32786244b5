"""Margin in use over time, from funds that were read anyway, and the alarm when it grows too large."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from accounts.models import Account
from algomirror.kernel import clock
from algomirror.ops import alarms
from marketdata import calendar
from marketdata.models import Underlying
from risk.domain.sizing import share_in_use
from risk.models import AccountLimits, MarginSample
from risk.services import funds

SLOT_S: Final = 300
KEPT: Final = timedelta(days=92)


def sample() -> int:
    """One sample per account and five minutes while a market is open. How many were kept.

    An account whose funds are not known has none: a gap is shown, not a figure of before.
    """
    now = clock.now()
    exchanges = set(Underlying.objects.filter(enabled=True).values_list("derivative_exchange", flat=True))
    if not any(calendar.is_open(exchange, now) for exchange in exchanges):
        return 0
    slot = _slot(now)
    done = set(MarginSample.objects.filter(at=slot).values_list("account_id", flat=True))
    accounts = [account for account in Account.objects.filter(archived_at=None) if account.pk not in done]
    if not accounts:
        return 0
    rows = [row for account_id, purse in funds.purses(accounts).items() if (row := _row(account_id, purse, slot)) is not None]
    MarginSample.objects.bulk_create(rows, ignore_conflicts=True)
    _ring({row.account_id: row for row in rows}, accounts)
    MarginSample.objects.filter(at__lt=now - KEPT).delete()
    return len(rows)


def _slot(now: datetime) -> datetime:
    return datetime.fromtimestamp(int(now.timestamp()) // SLOT_S * SLOT_S, UTC)


def _row(account_id: int, purse: funds.Purse, slot: datetime) -> MarginSample | None:
    usable, used = purse.money.usable, None if purse.funds is None else purse.funds.used
    share = share_in_use(usable, used, purse.reserved)
    if usable is None or used is None or share is None:
        return None
    return MarginSample(account_id=account_id, at=slot, usable=usable, used=used, reserved=purse.reserved, share=share)


def alarm_levels() -> dict[int | None, int]:
    """Percent at which an account rings, by account; None speaks for those without a level of their own."""
    return {row.account_id: row.margin_alarm for row in AccountLimits.objects.all() if row.margin_alarm is not None}


def _ring(rows: dict[int, MarginSample], accounts: list[Account]) -> None:
    levels = alarm_levels()
    for account in accounts:
        row, level = rows.get(account.pk), levels.get(account.pk, levels.get(None))
        if row is not None and level is not None and row.share >= level:
            text = f"{account.name} has {row.share} % of its margin in use, the alarm is set at {level} %."
            key = f"{account.pk}:{clock.today()}"
            alarms.ring("MARGIN_HIGH", text, key=key, account_id=account.pk, share=row.share, level=level)
