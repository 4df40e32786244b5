"""Running the checks, keeping what they found, and showing it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts.models import Account
from accounts.selectors import active_accounts
from algomirror.frame.readiness import accounts as account_checks
from algomirror.frame.readiness import house
from algomirror.frame.readiness.found import RED, Found
from algomirror.kernel import clock
from algomirror.ops import alarms, push, sight
from algomirror.ops.models import Check
from marketdata import calendar

# 08:55 on an ordinary day.
ALARM_BEFORE_OPEN = timedelta(minutes=20)
# Written by its own task when the chain over the journal is verified.
JOURNAL = "journal chain"
# Written by the night's drill.
DRILL = "restore drill"
APART = (JOURNAL, DRILL)


@dataclass(frozen=True, slots=True)
class Column:
    """One account's checks, or with `account` None those of the whole product."""

    account: Account | None
    checks: list[Check]

    @property
    def worst(self) -> str:
        states = {check.state for check in self.checks}
        return next((s for s in ("RED", "AMBER") if s in states), "GREEN")


@dataclass(frozen=True, slots=True)
class Board:
    columns: list[Column]
    checked_at: datetime | None

    @property
    def red(self) -> int:
        return self._count("RED")

    @property
    def amber(self) -> int:
        return self._count("AMBER")

    def _count(self, state: str) -> int:
        return sum(check.state == state for column in self.columns for check in column.checks)


def run() -> list[Found]:
    """Check everything now and keep it; before the open a red finding rings."""
    with sight.whole():  # whoever presses the button, the board is everybody's
        return _run(clock.now(), active_accounts())


def _run(now: datetime, accounts: list[Account]) -> list[Found]:
    found = [*house.findings(now, has_accounts=bool(accounts)), *account_checks.findings(accounts, now)]
    keep(found, now)
    _forget_others(found)
    _ring_before_open(found, accounts, now)
    push.push("readiness", "changed")
    return found


def keep(found: Iterable[Found], now: datetime) -> None:
    """`since` moves only when the state does."""
    for one in found:
        row = Check.objects.filter(name=one.name, account_id=one.account_id)
        told = {"value": one.value[:200], "remedy": one.remedy[:300], "checked_at": now}
        if not row.filter(state=one.state).update(**told):
            Check.objects.update_or_create(
                name=one.name, account_id=one.account_id, defaults={**told, "state": one.state, "since": now}
            )


def _forget_others(found: Iterable[Found]) -> None:
    """Lines of archived accounts and of processes that are no more."""
    known = {(one.name, one.account_id) for one in found}
    rows = Check.objects.exclude(name__in=APART).values_list("pk", "name", "account_id")
    Check.objects.filter(pk__in=[pk for pk, *line in rows if tuple(line) not in known]).delete()


def _ring_before_open(found: list[Found], accounts: list[Account], now: datetime) -> None:
    red = sorted((one for one in found if one.state == RED), key=lambda one: one.account_id == 0)
    if not red or not is_before_open(now):
        return
    names = {account.pk: account.name for account in accounts}
    said = "; ".join(f"{names.get(one.account_id, 'AlgoMirror')}: {one.name} {one.value}" for one in red[:5])
    more = f" and {len(red) - 5} more" if len(red) > 5 else ""
    alarms.ring("NOT_READY", f"Not ready for the open: {said}{more}", key=clock.today().isoformat(), red=len(red))


def is_before_open(now: datetime) -> bool:
    """In the last minutes before a session of this day opens."""
    state = calendar.market_state("NFO", now)
    if state.reason != "BEFORE_OPEN" or state.opens_at is None:
        return False
    return timedelta() < state.opens_at - now <= ALARM_BEFORE_OPEN


def board() -> Board:
    """As the last run left it; two queries."""
    rows = list(Check.objects.order_by("pk"))
    columns = [Column(None, [row for row in rows if row.account_id == 0])]
    columns += [Column(account, [r for r in rows if r.account_id == account.pk]) for account in active_accounts()]
    at = [row.checked_at for row in rows if row.name not in APART]
    return Board([column for column in columns if column.checks], max(at, default=None))
