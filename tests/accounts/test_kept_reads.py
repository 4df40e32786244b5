from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.crypto import seal
from accounts.gateway.reports import Failed, Read, Why
from accounts.models import Account, BrokerRead, User
from accounts.reads import store

pytestmark = pytest.mark.django_db
T0 = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)


@pytest.fixture
def account(alice: User) -> Account:
    return Account.objects.create(
        owner=alice,
        name="One",
        host_url="http://h",
        websocket_url="ws://h",
        sealed_key=seal("k"),
        key_fingerprint="f",
        mode="PAPER",
    )


def good(second: int) -> Read[None]:
    return Read(None, T0 + timedelta(seconds=second), T0 + timedelta(seconds=second + 1))


def test_each_good_read_replaces_the_rows_and_has_the_next_number(account: Account) -> None:
    assert store(account.pk, "ORDERS", good(0), [{"price": Decimal("1.05")}]) == (1, True)
    assert store(account.pk, "ORDERS", good(5), []) == (2, True)
    row = BrokerRead.objects.get()
    assert (row.rows, row.started_at, row.finished_at) == ([], T0 + timedelta(seconds=5), T0 + timedelta(seconds=6))


def test_decimals_are_kept_exactly(account: Account) -> None:
    store(account.pk, "ORDERS", good(0), [{"price": Decimal("0.10")}])
    assert BrokerRead.objects.get().rows == [{"price": "0.10"}]


def test_a_failed_read_only_says_so(account: Account) -> None:
    store(account.pk, "POSITIONS", good(0), [{"units": 65}])
    failed = Failed(Why.TIMEOUT, "no answer", at=T0 + timedelta(seconds=9))
    assert store(account.pk, "POSITIONS", failed, []) == (1, False)
    row = BrokerRead.objects.get()
    assert (row.rows, row.sequence, row.finished_at) == ([{"units": 65}], 1, T0 + timedelta(seconds=1))
    assert (row.error, row.attempted_at) == ("TIMEOUT: no answer", T0 + timedelta(seconds=9))
    assert store(account.pk, "POSITIONS", good(20), []) == (2, True)
    assert BrokerRead.objects.get().error == ""


def test_a_first_read_that_fails_leaves_no_rows(account: Account) -> None:
    assert store(account.pk, "TRADES", Failed(Why.REFUSED, "x"), None) == (0, False)
    assert BrokerRead.objects.get().started_at is None


def test_an_older_read_that_arrives_late_changes_nothing(account: Account) -> None:
    store(account.pk, "POSITIONS", good(10), [{"units": 65}])
    assert store(account.pk, "POSITIONS", good(3), []) == (1, False)
    assert BrokerRead.objects.get().rows == [{"units": 65}]


def test_an_order_book_that_arrives_late_has_a_number_of_its_own(account: Account) -> None:
    """It was answered later, so what it shows and the kept one does not is news, and no older than its arrival."""
    store(account.pk, "ORDERS", good(10), [{"broker_order_id": "1"}])
    assert store(account.pk, "ORDERS", good(3), []) == (2, False)
    row = BrokerRead.objects.get()
    assert (row.rows, row.sequence, row.started_at) == ([{"broker_order_id": "1"}], 2, T0 + timedelta(seconds=10))
