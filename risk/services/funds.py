"""What each account may spend now: the newest funds as its profile reads them, less what runs in flight hold."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.db.models import Sum

from accounts import health, reads
from accounts.gateway.directory import gateway_for
from accounts.gateway.port import Gateway
from accounts.gateway.reports import Answer, Failed, Funds, Read
from accounts.models import Account, BrokerRead
from accounts.reads import funds_of
from algomirror.kernel import clock
from algomirror.kernel.money import ZERO
from algomirror.ops.among import Among
from algomirror.ops.outgoing import refuse_in_transaction
from algomirror.ops.prepared import Prepared
from risk.domain.sizing import Money, Profile, money, within_ceiling
from risk.models import AccountLimits, MarginReservation

ASK_AFTER_S = 10.0
# Older funds say nothing about today's money; the link check reads them every 30 s.
KNOWN_FOR_S = 60.0
AT_ONCE = 50

_funds_read_of = Among("account_id", lambda mine: BrokerRead.objects.filter(mine, kind=BrokerRead.Kind.FUNDS))
_utilisations = Prepared(lambda: AccountLimits.objects.exclude(max_utilisation=None).values_list("account_id", "max_utilisation"))
_held_of = Among(
    "account_id",
    lambda mine: (
        MarginReservation.objects.filter(mine, released_at=None)
        .order_by()
        .values_list("account_id")
        .annotate(total=Sum("rupees"))
    ),
)


@dataclass(frozen=True, slots=True)
class Purse:
    """`money` holds None where it is not known, and `why` says so. `reserved`: rupees held by runs in flight."""

    account_id: int
    money: Money
    funds: Funds | None
    reserved: Decimal
    read_at: datetime | None
    why: str = ""
    # Percent of margin in use that entries may reach, where that leaves less than the account has.
    ceiling: int | None = None


def purses(accounts: Sequence[Account], *, ask: bool = False, older_than_s: float = ASK_AFTER_S) -> dict[int, Purse]:
    """One purse per account. With `ask`, funds older than that are read first, all at once: not in a transaction."""
    if ask:
        refresh(accounts, older_than_s=older_than_s)
    ids = [account.pk for account in accounts]
    rows, held = {row.account_id: row for row in _funds_read_of(ids)}, reserved(ids)
    return {account.pk: _purse(account, rows.get(account.pk), held.get(account.pk, ZERO)) for account in accounts}


def spendable(accounts: Sequence[Account], *, ask: bool = False) -> dict[int, Purse]:
    """The purses as entries may use them: held back by the ceiling on utilisation of the account, or of all."""
    levels: dict[int | None, int | None] = dict(_utilisations())
    found = purses(accounts, ask=ask)
    return {pk: _held_back(purse, levels.get(pk, levels.get(None))) for pk, purse in found.items()}


def _held_back(purse: Purse, percent: int | None) -> Purse:
    if percent is None or purse.funds is None:
        return purse
    left = within_ceiling(purse.money, purse.funds.used, purse.reserved, percent)
    if left.usable is None and purse.money.usable is not None:
        why = "Its broker does not say how much margin is used, and its utilisation is limited."
        return replace(purse, money=left, why=why)
    return replace(purse, money=left, ceiling=percent) if left != purse.money else purse


def refresh(accounts: Sequence[Account], *, older_than_s: float) -> None:
    """Read the funds of those whose last good read is older. The answers also prove or disprove the links."""
    refuse_in_transaction()
    now = clock.now()
    young = {
        row.account_id
        for row in BrokerRead.objects.filter(account__in=accounts, kind=BrokerRead.Kind.FUNDS, error="")
        if row.finished_at is not None and (now - row.finished_at).total_seconds() <= older_than_s
    }
    asked = [account for account in accounts if account.pk not in young and account.is_active]
    if not asked:
        return
    doors = [gateway_for(account) for account in asked]
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="funds") as pool:
        answers = list(pool.map(_ask, doors))
    found = list(zip(asked, answers, strict=True))
    # One commit for what changes no link; anything else is the link check's matter, one by one.
    usual = {account.pk: good for account, answer in found if (good := _usual(account, answer)) is not None}
    reads.store_good_funds(usual)
    for account, answer in found:
        if account.pk not in usual:
            health.record(health.Asked(account, answer))


def _usual(account: Account, answer: Answer[Funds]) -> Read[Funds] | None:
    """A good answer, in the right mode, of an account whose link was up already."""
    if isinstance(answer, Failed) or answer.mode not in (None, account.mode):
        return None
    return answer if account.link == Account.Link.UP else None


def _ask(door: Gateway) -> Answer[Funds]:
    return door.funds()


def reserved(account_ids: Sequence[int]) -> dict[int, Decimal]:
    return dict(_held_of(account_ids))


def _purse(account: Account, row: BrokerRead | None, held: Decimal) -> Purse:
    funds = funds_of(row)
    read_at = None if row is None else row.finished_at
    unknown = Money(None, None)
    if funds is None or read_at is None:
        why = (row.error if row is not None else "") or "never read"
        return Purse(account.pk, unknown, None, held, read_at, f"The funds of {account.name} are not known: {why}.")
    age_s = (clock.now() - read_at).total_seconds()
    if age_s > KNOWN_FOR_S:
        why = f"The funds of {account.name} were last read {age_s:.0f} s ago."
        return Purse(account.pk, unknown, funds, held, read_at, why)
    profile = Profile(collateral_included=account.collateral_included, available_is_gross=account.available_is_gross)
    found = money(available=funds.available_cash, collateral=funds.collateral, used=funds.used, profile=profile, reserved=held)
    why = "" if found.usable is not None else f"The broker of {account.name} does not say collateral or used margin."
    return Purse(account.pk, found, funds, held, read_at, why)
