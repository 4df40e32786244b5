"""Checking a contract note: nothing of it is kept but who looked and what differed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from django.db.models import Sum

from accounts.models import Account
from algomirror.kernel.money import ZERO, to_paisa
from algomirror.ops import journal
from strategies.domain.contractnote import Item, compared
from strategies.reports.day import DayReport, day_report
from strategies.reports.kinds import LABELS
from trading.models import Fill


def check(account: Account, day: date, theirs: Mapping[str, Decimal], *, by: str) -> list[Item]:
    """Ours and theirs, item by item; one journal line says who checked which day and the differences."""
    report = day_report(account, day)
    items = compared(ours(account, report), theirs)
    differing = [item.name for item in items if item.differs]
    journal.record(
        "report.note_checked",
        actor=by,
        subject=f"day:{day}",
        account_id=account.pk,
        why=f"differs by more than a rupee: {', '.join(differing)}" if differing else "no difference of more than a rupee",
        differences={item.name: item.difference for item in items if item.theirs is not None},
    )
    return items


def ours(account: Account, report: DayReport) -> dict[str, Decimal | None]:
    """Rupees by item. The net amount is what was sold less what was bought less the charges: + the broker pays, − we pay.

    None where we cannot say: a rate is missing, or, for the net amount, a future was traded, whose value never changes hands.
    Only what the broker's trade book proved counts: no settlement at expiry, nothing that was made elsewhere.
    """
    costs = {name: report.costs.of(name) for name in LABELS}
    fills = Fill.objects.filter(
        account=account, book__mode=report.mode, trading_day=report.day, source=Fill.Source.TRADE_BOOK
    )  # fmt: skip
    if report.costs.total is None or fills.filter(symbol__endswith="FUT").exists():
        return {**costs, "net": None}
    moved = dict(fills.values_list("action").annotate(total=Sum("value")).order_by())
    return {**costs, "net": to_paisa(moved.get("SELL", ZERO) - moved.get("BUY", ZERO)) - report.costs.total}
