"""The one answer to "when does the broker close MIS?": a dated row, or minutes before the close."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.conf import settings

from marketdata import calendar
from marketdata.domain.cutoffs import CutoffRow
from marketdata.domain.sessions import instant, trading_exchange

# A run leaves so long before the broker would close it.
LEAVE_BEFORE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Cutoff:
    """`row` None: no row covers the date's session, and the setting's minutes before the close count."""

    at: datetime
    row: CutoffRow | None

    @property
    def leaves_at(self) -> datetime:
        return self.at - LEAVE_BEFORE


def of_account(exchange: str, day: date, account_id: int | None) -> Cutoff | None:
    """None when the exchange has no session on that day.

    A time of day outside the day's last session (Muhurat in the evening, hours that ended earlier) cannot be meant.
    """
    windows = calendar.sessions().windows(trading_exchange(exchange), day)
    if not windows:
        return None
    last = max(windows, key=lambda window: window.closes_at)
    row = calendar.cutoffs().of(trading_exchange(exchange), day, account_id)
    if row is not None and last.opens_at < (at := instant(day, row.at)) <= last.closes_at:
        return Cutoff(at, row)
    return Cutoff(last.closes_at - timedelta(minutes=settings.MIS_CUTOFF_MIN), None)


def earliest(exchanges: Iterable[str], day: date, account_ids: Iterable[int]) -> Cutoff | None:
    """Of several accounts and exchanges that leave together; the row for every broker when no account is named."""
    ids: list[int | None] = [*account_ids]
    found = [of_account(exchange, day, account_id) for exchange in exchanges for account_id in ids or [None]]
    return min((one for one in found if one is not None), key=lambda one: one.at, default=None)
