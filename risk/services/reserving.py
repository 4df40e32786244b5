"""Margin held for runs in flight, so that two runs never spend the same rupee."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from django.db import models, transaction

from accounts.models import Account, BrokerRead
from algomirror.kernel import clock
from algomirror.kernel.money import ZERO
from algomirror.ops import journal
from algomirror.ops.among import Among
from algomirror.ops.prepared import PreparedUpdate, insert_named, will_insert
from risk.domain.pretrade import Code, Denial
from risk.domain.sentences import rupees
from risk.models import MarginClaim, MarginReservation
from risk.services import funds
from trading.models import Run

ENGINE = "engine:margin"
will_insert(MarginReservation)
_accounts = Among("pk", lambda mine: Account.objects.filter(mine))
_claims_of = Among("account_id", lambda mine: MarginClaim.objects.filter(mine).values_list("account_id", flat=True))
_claim = PreparedUpdate(lambda account: MarginClaim.objects.filter(account_id=account), claims=models.F("claims") + 1)


def check(needed: Mapping[int, Decimal], *, buys_only: bool = False, known: Mapping[int, Account] | None = None) -> list[Denial]:
    """What speaks against these rupees by account id, from stored funds. Inside the transaction that will reserve them.

    `known`: accounts that this transaction has read already. Any other is read here.
    The account's claim row is changed first: on PostgreSQL a racing start waits here and then sees our reservation.
    """
    denials: list[Denial] = []
    known = known or {}
    unread = [pk for pk in needed if pk not in known]
    read = {account.pk: account for account in _accounts(unread)} if unread else {}
    accounts = [account for pk in sorted(needed) if (account := known.get(pk) or read.get(pk)) is not None]
    ids = [account.pk for account in accounts]
    # Missing rows come before any claim: all claims are then made in one order, and two starts never wait for each other.
    claimed_before = set(_claims_of(ids))
    if first := [pk for pk in ids if pk not in claimed_before]:
        insert_named(MarginClaim, [{"account_id": pk} for pk in first], unless_there=True)
    _claim.each([(pk,) for pk in ids])
    for account_id, purse in funds.spendable(accounts).items():
        free = purse.money.cash if buys_only else purse.money.usable
        if free is None:
            denials.append(
                Denial(Code.MARGIN_UNKNOWN, purse.why or "The cash of the account is not known.", account_id=account_id)
            )
        elif free < needed[account_id]:
            name = next(account.name for account in accounts if account.pk == account_id)
            within = "" if purse.ceiling is None else f" within its ceiling of {purse.ceiling} %"
            text = f"{name} has {rupees(free)} free{within}, the plan needs {rupees(needed[account_id])}."
            denials.append(Denial(Code.MARGIN_SHORT if purse.ceiling is None else Code.UTILISATION, text, account_id=account_id))
    return denials


def reserve(run: Run, needed: Mapping[int, Decimal]) -> None:
    now = clock.now()
    rows = [
        {"account_id": account_id, "run_id": run.pk, "rupees": rupees, "created_at": now}
        for account_id, rupees in needed.items()
        if rupees > ZERO
    ]
    insert_named(MarginReservation, rows)


def sweep() -> int:
    """Release what the broker has counted by now: funds read after the run's entry was over. How many were released."""
    now = clock.now()
    held = MarginReservation.objects.filter(released_at=None)
    held.filter(entered_at=None).exclude(run__state=Run.State.ENTERING).update(entered_at=now)
    rows = list(held.filter(entered_at__isnull=False).values_list("pk", "account_id", "entered_at", "run_id", "rupees"))
    if not rows:
        return 0
    reads = BrokerRead.objects.filter(kind=BrokerRead.Kind.FUNDS, account_id__in={row[1] for row in rows})
    begun = dict(reads.values_list("account_id", "started_at"))
    released = 0
    for pk, account_id, entered_at, run_id, held_rupees in rows:
        read = begun.get(account_id)
        if read is None or entered_at is None or read <= entered_at:
            continue
        with transaction.atomic():
            if MarginReservation.objects.filter(pk=pk, released_at=None).update(released_at=now):
                journal.record("margin.released", actor=ENGINE, run_id=run_id, account_id=account_id, rupees=held_rupees)
                released += 1
    return released
