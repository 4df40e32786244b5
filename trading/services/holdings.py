"""What lies in each depository, kept as its broker reports it. Shown only: nothing here trades holdings."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta

from accounts import reads
from accounts.gateway.directory import gateway_for
from accounts.gateway.reports import Failed, Why
from accounts.models import Account, BrokerRead
from algomirror.kernel import clock
from algomirror.ops import push

log = logging.getLogger(__name__)

# Shares move when a trade settles; a broker is not asked more often than somebody could wonder.
EVERY = timedelta(minutes=15)


def due() -> list[int]:
    """Accounts in use that were not asked for a while."""
    asked = dict(BrokerRead.objects.filter(kind=BrokerRead.Kind.HOLDINGS).values_list("account_id", "attempted_at"))
    now = clock.now()
    active = Account.objects.filter(archived_at=None).values_list("pk", flat=True)
    return [pk for pk in active if (at := asked.get(pk)) is None or now - at >= EVERY]


def read(account_ids: Iterable[int]) -> None:
    """Ask each account and keep the answer; a failed one only says so. Outside any transaction."""
    for account in Account.objects.filter(pk__in=list(account_ids), archived_at=None):
        answer = gateway_for(account).holdings()
        if not isinstance(answer, Failed) and answer.mode is not None and answer.mode != account.mode:
            why = f"the server answers in {answer.mode}, the account is marked {account.mode}"
            answer = Failed(Why.REFUSED, why, at=answer.finished_at)
        if isinstance(answer, Failed):
            log.info("holdings not read account=%s why=%s text=%s", account.pk, answer.why, answer.text)
        rows = None if isinstance(answer, Failed) else asdict(answer.value)
        reads.store(account.pk, BrokerRead.Kind.HOLDINGS, answer, rows)
    push.push("holdings", "changed")
