"""The only writer of BrokerRead: a good read replaces rows, a failed one only says so beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import F, Q

from accounts.gateway.parse import number
from accounts.gateway.reports import Answer, Failed, Funds, Read
from accounts.models import BrokerRead
from algomirror.kernel import clock
from algomirror.ops import journal
from algomirror.ops.prepared import Prepared, PreparedUpdate

_sequence = Prepared(
    lambda account, kind: BrokerRead.objects.filter(account_id=account, kind=kind).values_list("sequence", flat=True)
)
# One that began in the future was kept before the clock was set back: what is read now is newer all the same.
_newer = PreparedUpdate(
    lambda account, kind, since, now: BrokerRead.objects.filter(
        Q(started_at=None) | Q(started_at__lte=since) | Q(started_at__gt=now), account_id=account, kind=kind
    ),
    ["rows", "started_at", "finished_at", "attempted_at"],
    gives="sequence",
    sequence=F("sequence") + 1,
    error="",
)

_late = PreparedUpdate(
    lambda account, kind: BrokerRead.objects.filter(account_id=account, kind=kind), gives="sequence", sequence=F("sequence") + 1
)


class Kept(NamedTuple):
    """The read's number, and whether nothing newer had been kept before it came."""

    number: int
    is_newest: bool


def store(account_id: int, kind: str, answer: Answer[Any], rows: Any) -> Kept:
    """Keep what was read (`rows`: plain lists and dicts; decimals become exact text).

    A read that began before the one already kept replaces nothing: it is older news that arrived late. An order book has a
    number of its own all the same: it may have been answered later too, and show what was sent behind the one that is kept.
    """
    if isinstance(answer, Failed):
        said = f"{answer.why}: {answer.text}"[:300]
        kept, _ = BrokerRead.objects.get_or_create(account_id=account_id, kind=kind)
        BrokerRead.objects.filter(pk=kept.pk).update(attempted_at=answer.at or clock.now(), error=said)
        return Kept(kept.sequence, is_newest=False)
    with transaction.atomic(savepoint=False):
        number = _replace(account_id, kind, answer, rows)
        if not number:
            BrokerRead.objects.get_or_create(account_id=account_id, kind=kind)
            number = _replace(account_id, kind, answer, rows)
        if number:
            return Kept(number, is_newest=True)
        late = _late(account_id, kind) if kind == BrokerRead.Kind.ORDERS else sequence(account_id, kind)
        return Kept(late, is_newest=False)


def sequence(account_id: int, kind: str) -> int:
    """The number of the last complete read; 0 before the first."""
    return _sequence.first(account_id, kind) or 0


def store_funds(account_id: int, answer: Answer[Funds]) -> None:
    store(account_id, BrokerRead.Kind.FUNDS, answer, None if isinstance(answer, Failed) else asdict(answer.value))


def store_good_funds(answers: Mapping[int, Read[Funds]]) -> None:
    """Good answers of many accounts by id, each over what it is newer than: one query an account, inside one commit."""
    kind = BrokerRead.Kind.FUNDS
    known = set(BrokerRead.objects.filter(account__in=answers, kind=kind).values_list("account_id", flat=True))
    fresh = [BrokerRead(account_id=pk, kind=kind) for pk in answers if pk not in known]
    with transaction.atomic():
        BrokerRead.objects.bulk_create(fresh, ignore_conflicts=True)
        for account_id, answer in answers.items():
            _replace(account_id, kind, answer, asdict(answer.value))


def _replace(account_id: int, kind: str, answer: Read[Any], rows: Any) -> int:
    """The read's number; 0 where nothing was kept that it is newer than."""
    return _newer(
        *(account_id, kind, answer.started_at, clock.now()),
        *(journal.plain(rows), answer.started_at, answer.finished_at, answer.finished_at),
    )


def attempted_funds() -> dict[int, datetime | None]:
    """When each account was last asked for funds, answered or not."""
    rows = BrokerRead.objects.filter(kind=BrokerRead.Kind.FUNDS).values_list("account_id", "attempted_at")
    return dict(rows)


def funds_of(row: BrokerRead | None) -> Funds | None:
    """The funds inside a kept read; None when there never was a good one."""
    kept = row.rows if row is not None else None
    cash = number(kept.get("available_cash")) if isinstance(kept, dict) else None
    if cash is None or not isinstance(kept, dict):
        return None
    return Funds(
        available_cash=cash,
        collateral=number(kept.get("collateral")),
        used=number(kept.get("used")),
        realised=number(kept.get("realised")),
        unrealised=number(kept.get("unrealised")),
    )
