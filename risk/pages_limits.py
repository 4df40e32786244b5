"""What the pages of limits above the run and of risk events show."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

from django.db.models import QuerySet

from accounts.models import Account
from algomirror.kernel import clock
from marketdata.domain.sessions import instant
from risk.domain.ceilings import Usage
from risk.forms_limits import AccountLimitsForm, limits_form
from risk.models import AccountLimits, EntryLock, RiskEvent
from risk.services import ceilings
from trading.pages import day as day_pages

EVENTS_SHOWN = 100
EVENTS_IN_CSV = 10_000
LOCKS_SHOWN = 30
PLATFORM = "platform"
COLUMNS = ("at", "kind", "run", "account", "leg", "value", "threshold", "action", "seen_by", "goals")


@dataclass(frozen=True, slots=True)
class CeilingRow:
    """One account (or all together): its limits, what is used now, and what locks it."""

    account: Account | None
    name: str
    # Only of the row that is being changed: fifty forms would be a page nobody can read.
    form: AccountLimitsForm | None
    limits: AccountLimits | None
    usage: Usage
    day_pnl: Decimal | None
    lock: str

    @property
    def scope(self) -> str:
        return PLATFORM if self.account is None else str(self.account.pk)


def limits_page(bound: Mapping[str, AccountLimitsForm] | None = None, *, chosen: str = PLATFORM) -> dict[str, Any]:
    """`chosen` is the scope whose form is shown; `bound` forms as typed, by scope, when one was refused."""
    now = clock.now()
    accounts = list(Account.objects.filter(archived_at=None))
    known = {row.account_id: row for row in AccountLimits.objects.all()}
    stands, today = ceilings.usage(now), day_pages.today()
    locked = ceilings.locked(accounts, now)
    known_scopes = {PLATFORM, *(str(account.pk) for account in accounts)}
    shown: Mapping[str, AccountLimitsForm | None] = bound or {chosen if chosen in known_scopes else PLATFORM: None}
    whole = Usage()
    for one in stands.values():
        whole = whole.plus(one)
    rows = [_row(None, known.get(None), whole, today.whole.total, locked.get(None, ""), shown)]
    for account in accounts:
        pnl = today.by_account.get(account.pk)
        total = Decimal(0) if pnl is None else pnl.total
        lock = locked.get(account.pk, "")
        rows.append(_row(account, known.get(account.pk), stands.get(account.pk, Usage()), total, lock, shown))
    locks = EntryLock.objects.select_related("account").filter(until__gt=now, released_by="")
    return {"rows": rows, "locks": list(locks[:LOCKS_SHOWN])}


def _row(
    account: Account | None,
    limits: AccountLimits | None,
    usage: Usage,
    pnl: Decimal | None,
    lock: str,
    shown: Mapping[str, AccountLimitsForm | None],
) -> CeilingRow:
    scope = PLATFORM if account is None else str(account.pk)
    name = ceilings.PLATFORM if account is None else account.name
    form = (shown[scope] or limits_form(limits)) if scope in shown else None
    return CeilingRow(account, name, form, limits, usage, pnl, lock)


def events(asked: Mapping[str, Any]) -> QuerySet[RiskEvent]:
    """Newest first, as the filter says; unknown words filter nothing."""
    found = RiskEvent.objects.select_related("run", "account", "book__account").order_by("-id")
    if asked.get("kind"):
        found = found.filter(kind=asked["kind"])
    if asked.get("run"):
        found = found.filter(run_id=asked["run"])
    if asked.get("account"):
        found = found.filter(account_id=int(asked["account"])) | found.filter(book__account_id=int(asked["account"]))
    if asked.get("day"):
        begins: datetime = instant(asked["day"], time())
        found = found.filter(at__gte=begins, at__lt=begins + timedelta(days=1))
    return found


def events_csv(found: QuerySet[RiskEvent]) -> Iterator[str]:
    yield _line(COLUMNS)
    for event in found[:EVENTS_IN_CSV].iterator(chunk_size=500):
        account = event.account or (event.book.account if event.book else None)
        yield _line(
            (
                event.at.isoformat(),
                event.kind,
                event.run_id or "",
                account.name if account else "",
                event.leg or "",
                "" if event.value is None else event.value,
                "" if event.threshold is None else event.threshold,
                event.action,
                event.seen_by,
                " ".join(str(goal) for goal in event.goal_ids),
            )
        )


def _line(cells: tuple[object, ...]) -> str:
    out = StringIO()
    # A name that begins like a formula must not become one in a spreadsheet.
    csv.writer(out).writerow(
        [f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@" and cell[:1] else cell for cell in cells]
    )
    return out.getvalue()
