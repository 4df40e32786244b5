"""What the pages of limits above the run and of risk events show."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

from django.db.models import QuerySet

from accounts.models import Account
from algomirror.kernel import clock
from algomirror.ops import hooks
from marketdata.domain.sessions import instant
from risk.domain.ceilings import Usage
from risk.forms_limits import AccountLimitsForm, GroupLimitsForm, group_limits_form, limits_form
from risk.models import AccountLimits, EntryLock, GroupLimits, RiskEvent
from risk.services import ceilings, grouped
from trading.pages import day as day_pages

EVENTS_SHOWN = 100
EVENTS_IN_CSV = 10_000
LOCKS_SHOWN = 30
PLATFORM = "platform"
COLUMNS = ("at", "kind", "run", "account", "leg", "value", "threshold", "action", "seen_by", "goals")


@dataclass(frozen=True, slots=True)
class CeilingRow:
    """One account, a group or all together: its limits, what is used now, and what locks it."""

    scope: str
    name: str
    # Only of the row that is being changed: fifty forms would be a page nobody can read.
    form: AccountLimitsForm | GroupLimitsForm | None
    limits: AccountLimits | GroupLimits | None
    usage: Usage
    # By mode, live first: never added up. The first is the one figure where there is room for one.
    day: Mapping[str, Decimal | None]
    lock: str
    account: int | None = None
    group: int | None = None

    @property
    def day_pnl(self) -> Decimal | None:
        return next(iter(self.day.values()))


Bound = Mapping[str, AccountLimitsForm | GroupLimitsForm]


def group_scope(group_id: int) -> str:
    return f"group:{group_id}"


def limits_page(bound: Bound | None = None, *, chosen: str = PLATFORM) -> dict[str, Any]:
    """`chosen` is the scope whose form is shown; `bound` forms as typed, by scope, when one was refused."""
    now = clock.now()
    accounts = list(Account.objects.filter(archived_at=None))
    groups: list[tuple[int, str]] = hooks.call("groups")
    known = {row.account_id: row for row in AccountLimits.objects.all()}
    known_of_groups = {row.group_id: row for row in GroupLimits.objects.all()}
    stands, today = ceilings.usage(now), day_pages.today()
    locked = ceilings.locked(accounts, now)
    known_scopes = {PLATFORM, *(str(account.pk) for account in accounts), *(group_scope(pk) for pk, _ in groups)}
    shown: Mapping[str, AccountLimitsForm | GroupLimitsForm | None] = bound or {
        chosen if chosen in known_scopes else PLATFORM: None
    }
    form = (shown[PLATFORM] or limits_form(known.get(None))) if PLATFORM in shown else None
    whole, lock = _sum(stands.values()), locked.get(None, "")
    modes = {account.pk: account.mode for account in accounts}
    rows = [CeilingRow(PLATFORM, ceilings.PLATFORM, form, known.get(None), whole, _day(today, modes), lock)]
    for pk, name in groups:
        scope, limits, members = group_scope(pk), known_of_groups.get(pk), grouped.accounts_of(pk) or {}
        form = (shown[scope] or group_limits_form(limits)) if scope in shown else None
        usage = _sum(stands[member] for member in members if member in stands)
        day = _day(today, modes, members)
        rows.append(CeilingRow(scope, f"Group {name}", form, limits, usage, day, _locked_members(members, locked), group=pk))
    for account in accounts:
        scope, row = str(account.pk), known.get(account.pk)
        form = (shown[scope] or limits_form(row)) if scope in shown else None
        day, lock = _day(today, modes, {account.pk}), locked.get(account.pk, "")
        rows.append(CeilingRow(scope, account.name, form, row, stands.get(account.pk, Usage()), day, lock, account=account.pk))
    locks = EntryLock.objects.select_related("account").filter(until__gt=now, released_by="")
    return {"rows": rows, "locks": list(locks[:LOCKS_SHOWN])}


def _day(today: day_pages.Today, modes: Mapping[int, str], of: Collection[int] | None = None) -> dict[str, Decimal | None]:
    """What the books of these accounts, or of all, made today: by mode, of the modes that they are or traded in."""
    are = {mode for pk, mode in modes.items() if of is None or pk in of}
    return {mode: today.made(mode, of).total for mode in day_pages.modes_of(today, are, of)}


def _sum(some: Iterable[Usage]) -> Usage:
    total = Usage()
    for one in some:
        total = total.plus(one)
    return total


def _locked_members(members: Mapping[int, str], locked: Mapping[int | None, str]) -> str:
    held = [name for pk, name in members.items() if pk in locked]
    return f"entries are locked in {len(held)} of {len(members)} accounts" if held else ""


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
