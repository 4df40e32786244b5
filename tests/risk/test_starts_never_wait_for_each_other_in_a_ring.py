"""Claims of margin are made in one order, also those of accounts that have never been claimed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connection, connections, transaction

from accounts.models import Account
from risk.models import MarginClaim
from risk.services import reserving
from tests.cast import account
from tests.patience import PATIENCE_S, wait_for

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has one writer at a time"),
]


def check(*accounts: Account) -> None:
    try:
        with transaction.atomic():
            reserving.check({one.pk: Decimal(1) for one in accounts})
    finally:
        connections.close_all()


def waiting() -> int:
    """How many wait for another's lock. What pg_stat_activity says stays the same for a whole transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted")
        return int(cursor.fetchone()[0])


def test_an_account_that_is_claimed_for_the_first_time_by_another_start_meanwhile() -> None:
    new, old, last = (account(f"A{n}") for n in range(3))
    MarginClaim.objects.bulk_create([MarginClaim(account=old), MarginClaim(account=last)])
    with ThreadPoolExecutor(3) as pool:
        with transaction.atomic():
            reserving.check({last.pk: Decimal(1)})
            early = pool.submit(check, new, old, last)
            wait_for(lambda: waiting() == 1, "it to wait for us")
            other = pool.submit(check, new)
            wait_for(lambda: other.done() or waiting() == 2, "the new account to be claimed, or it to wait")
            later = pool.submit(check, new, old)
            wait_for(lambda: waiting() == 3 - other.done(), "it to wait for the first")
        assert [start.exception(PATIENCE_S) for start in (early, other, later)] == [None, None, None]
    assert dict(MarginClaim.objects.values_list("account_id", "claims")) == {new.pk: 3, old.pk: 2, last.pk: 2}
