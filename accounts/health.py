"""Is the account's link alive? Funds with content prove it; a good ping would prove only the key."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F

from accounts import reads
from accounts.gateway.directory import gateway_for
from accounts.gateway.port import Gateway
from accounts.gateway.reports import Answer, Failed, Funds, Read, Why
from accounts.models import Account
from accounts.services.connection import advice
from algomirror.kernel import clock
from algomirror.ops import alarms, hooks, journal, push, readiness
from algomirror.ops.outgoing import refuse_in_transaction

log = logging.getLogger(__name__)

FAILURES_TO_DOWN = 3
EVERY = timedelta(seconds=30)
EVERY_WHEN_DOWN = timedelta(minutes=5)
EVERY_WHEN_REFUSED = timedelta(minutes=1)
AT_ONCE = 8
# Our own pause, or the server's: no sign that the link is ill.
_NOT_ILL = frozenset({Why.BUDGET, Why.THROTTLED})


@dataclass(frozen=True, slots=True)
class Asked:
    account: Account
    answer: Answer[Funds]


def is_due(link: str, attempted_at: datetime | None, now: datetime) -> bool:
    if attempted_at is None:
        return True
    wait = {Account.Link.DOWN: EVERY_WHEN_DOWN, Account.Link.REFUSED: EVERY_WHEN_REFUSED}.get(Account.Link(link), EVERY)
    return now - attempted_at >= wait


def check_link(account_id: int) -> str:
    """Ask once and record it; the link's new state, or "" when the account is not in use."""
    check_links([account_id])
    return Account.objects.filter(pk=account_id, archived_at=None).values_list("link", flat=True).first() or ""


def check_links(account_ids: Sequence[int]) -> None:
    """Ask all at once, so that a dead server delays nobody, and record one after the other."""
    refuse_in_transaction()
    accounts = list(Account.objects.filter(pk__in=account_ids, archived_at=None))
    doors = [gateway_for(account) for account in accounts]
    with ThreadPoolExecutor(max_workers=AT_ONCE, thread_name_prefix="links") as pool:
        answers = list(pool.map(_ask, doors))
    for account, answer in zip(accounts, answers, strict=True):
        record(Asked(account, answer))


def _ask(door: Gateway) -> Answer[Funds]:
    return door.funds()


def record(asked: Asked) -> None:
    """Keep the funds and move the link. What was asked with an older host or key changes no link."""
    account, answer = asked.account, asked.answer
    if not isinstance(answer, Failed) and answer.mode is not None and answer.mode != account.mode:
        # Another world's money must not be kept as this account's.
        why = f"The server is in {answer.mode} mode, the account expects {account.mode}."
        reads.store_funds(account.pk, Failed(Why.REFUSED, why, at=answer.finished_at))
        _failed(account, why)
        hooks.call("halt_account", account.pk, why=why, by="engine:link")
        return
    reads.store_funds(account.pk, answer)
    if not isinstance(answer, Failed):
        _succeeded(account, answer)
    elif answer.why not in _NOT_ILL:
        _failed(account, advice(answer)[:300], is_refused=answer.why is Why.KEY_REFUSED)


def key_refused(account_id: int, why: str) -> None:
    """An order was turned away for its key: the link is as ill as a check would find it, and a person is told."""
    if (account := Account.objects.filter(pk=account_id).first()) is not None:
        _failed(account, why[:300], is_refused=True)


def _same_config(account: Account) -> dict[str, int]:
    return {"pk": account.pk, "config_version": account.config_version}


def _succeeded(account: Account, answer: Read[Funds]) -> None:
    took = answer.finished_at - answer.started_at
    Account.objects.filter(**_same_config(account)).update(
        last_good_at=answer.finished_at, latency_ms=int(took / timedelta(milliseconds=1)), failures_in_row=0, last_failure=""
    )
    _move(account, Account.Link.UP)


def _failed(account: Account, why: str, *, is_refused: bool = False) -> None:
    row = Account.objects.filter(**_same_config(account))
    if not row.update(failures_in_row=F("failures_in_row") + 1, last_failure=why):
        return
    failures = row.values_list("failures_in_row", flat=True).get()
    link = _ill(Account.Link(account.link), failures, is_refused=is_refused)
    if _move(account, link, why=why) and link != Account.Link.DEGRADED:
        alarms.ring(f"LINK_{link}", f"{account.name}: {why}", account_id=account.pk, is_event=True, failures=failures)


def _ill(before: Account.Link, failures: int, *, is_refused: bool) -> Account.Link:
    """The state after one more failure. Nothing but a full success leads out of DOWN or REFUSED upwards."""
    if is_refused:
        return Account.Link.REFUSED
    if failures >= FAILURES_TO_DOWN:
        return Account.Link.DOWN
    return before if before in (Account.Link.DOWN, Account.Link.REFUSED) else Account.Link.DEGRADED


def _move(account: Account, link: Account.Link, *, why: str = "") -> bool:
    """True for the one caller that changed the state."""
    with transaction.atomic():
        moved = Account.objects.filter(**_same_config(account)).exclude(link=link).update(link=link)
        if moved:
            journal.record(
                "account.link",
                actor="engine:link",
                subject=f"account:{account.name}"[:80],
                account_id=account.pk,
                moved=(account.link, link),
                why=why,
            )
            push.push("accounts", "changed")
            transaction.on_commit(readiness.look_again)
    return bool(moved)


def due(now: datetime | None = None) -> list[int]:
    """Accounts whose next check has come, by when they were last asked for funds."""
    now = now or clock.now()
    rows = Account.objects.filter(archived_at=None).values_list("pk", "link")
    asked = reads.attempted_funds()
    return [pk for pk, link in rows if is_due(link, asked.get(pk), now)]
