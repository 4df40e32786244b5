"""The end-of-day report is told to people: once an account and trading day, some minutes after its exchange closed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from django.db import IntegrityError, transaction

from accounts.models import Account
from algomirror.kernel import clock
from algomirror.ops import journal
from algomirror.ops.alerts import deliver
from risk.domain.sentences import rupees
from strategies.models import DayTold
from strategies.reports.brokers import Beside, beside
from strategies.reports.day import DayReport, day_report
from strategies.reports.days import newest_closed_day
from trading.models import Fill, Order, Position

log = logging.getLogger(__name__)

BY: Final = "schedule"
KIND: Final = "DAY_REPORT"
# Trades of the last minutes, and what is settled at expiry, reach our books first.
AFTER_CLOSE: Final = timedelta(minutes=20)
UNKNOWN: Final = "unknown"


def waiting() -> tuple[date, Sequence[int]] | None:
    """The newest day that is due, and the accounts that may have one untold; None when there is nothing to look at.

    Older days that nobody was up to tell stay untold: they are on the page. At most four queries.
    """
    day = newest_closed_day(clock.now(), AFTER_CLOSE)
    if day is None:
        return None
    active = set(Order.objects.filter(trading_day=day).values_list("account_id", flat=True).distinct().order_by())
    active |= set(Fill.objects.filter(trading_day=day).values_list("account_id", flat=True).distinct().order_by())
    active |= set(Position.objects.exclude(units=0).values_list("book__account_id", flat=True).distinct().order_by())
    told = set(DayTold.objects.filter(trading_day=day).values_list("account_id", flat=True)) if active else set()
    return (day, sorted(active - told)) if active - told else None


def sweep() -> int:
    """Tell what is due; how many reports went out from here."""
    found = waiting()
    if found is None:
        return 0
    day, ids = found
    told = 0
    for account in Account.objects.filter(pk__in=ids).order_by("pk"):
        try:
            told += _look(account, day)
        except Exception:
            log.exception("day not reported account=%s day=%s", account.pk, day)
    return told


def _look(account: Account, day: date) -> bool:
    report = day_report(account, day)
    if report.closes_at is not None and report.closes_at + AFTER_CLOSE > report.read_at:
        return False  # another of its exchanges closes later
    return _tell(report, beside(account), is_worth_it=not report.is_empty and report.closes_at is not None)


def _tell(report: DayReport, books: Beside, *, is_worth_it: bool) -> bool:
    """The row is the claim, and the message stands or falls with it. False: nothing to tell, or another process was first."""
    account = report.tag.account_id
    try:
        with transaction.atomic():
            DayTold.objects.create(account_id=account, trading_day=report.day, at=report.read_at, was_told=is_worth_it)
            if is_worth_it:
                deliver.tell(KIND, text_of(report, books), key=f"{account}:{report.day}", account_id=account, **_numbers(report))
                journal.record("report.told", actor=BY, subject=f"day:{report.day}", account_id=account, net=report.net)
    except IntegrityError:
        return False
    return is_worth_it


def text_of(report: DayReport, books: Beside) -> str:
    """One line for a person: figures, what is left, and whether the broker agrees."""
    paper = " (paper)" if report.mode == "PAPER" else ""
    counted = report.counted
    parts = [
        f"{report.tag.name[:60]}{paper}, {report.day:%a %-d %b}: net {_rupees(report.net)}",
        f"realised {_rupees(report.realised)}, charges {_rupees(report.costs.total)}",
        f"{_count(counted.orders, 'order')}, {_count(report.fills, 'fill')}, {counted.rejected + counted.denied} turned away",
        f"{len(report.carried)} carried, open {_rupees(report.open)}" if report.carried else "nothing carried",
        _agreement(books),
    ]
    return "; ".join(parts) + "."


def _agreement(books: Beside) -> str:
    if books.as_of is None:
        return f"the broker's books were never read{', not everything is explained' if books.is_explained is False else ''}"
    minutes = int((clock.now() - books.as_of).total_seconds() // 60)
    words = {True: "everything is explained", False: "not everything is explained", None: "too old to tell"}
    said = words[books.is_explained]
    return f"broker's books of {_count(minutes, 'minute')} ago: {said}{', the last reading failed' if books.error else ''}"


def _numbers(report: DayReport) -> dict[str, object]:
    """The day leads to the page (`deliver.page_of`)."""
    kinds = {label: _rupees(value) for label, value in report.costs.by_kind}
    return {"day": report.day, **kinds}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _rupees(value: Decimal | None) -> str:
    return UNKNOWN if value is None else rupees(value)
