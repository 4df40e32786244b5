from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest
from django.db import connection

from algomirror.kernel import clock
from algomirror.ops import lease
from tests.patience import PATIENCE_S


@pytest.fixture
def frozen() -> Iterator[clock.FrozenClock]:
    with clock.use(clock.FrozenClock(datetime(2026, 11, 20, 4, 0, tzinfo=UTC))) as still:
        assert isinstance(still, clock.FrozenClock)
        yield still


@pytest.mark.django_db
def test_only_one_process_holds_a_lease_until_it_expires(frozen: clock.FrozenClock) -> None:
    first = lease.acquire("feed:1", seconds=5, holder="a")
    assert first is not None
    assert lease.acquire("feed:1", seconds=5, holder="b") is None
    frozen.advance(4.999)
    assert lease.acquire("feed:1", seconds=5, holder="b") is None
    frozen.advance(0.001)
    second = lease.acquire("feed:1", seconds=5, holder="b")
    assert second is not None and second.token == first.token + 1
    assert not lease.renew(first, seconds=5)
    assert lease.renew(second, seconds=5)


@pytest.mark.django_db
def test_a_released_lease_is_free_at_once() -> None:
    held = lease.acquire("x", seconds=60)
    assert held is not None
    lease.release(held)
    assert lease.acquire("x", seconds=60) is not None


@pytest.mark.django_db
def test_releasing_a_lost_lease_does_not_take_it_from_its_new_holder(frozen: clock.FrozenClock) -> None:
    lost = lease.acquire("x", seconds=1, holder="a")
    frozen.advance(2)
    assert lease.acquire("x", seconds=60, holder="b") is not None
    assert lost is not None
    lease.release(lost)
    assert lease.acquire("x", seconds=60, holder="c") is None


def _race(contenders: int, name: str) -> list[lease.Held]:
    start = Barrier(contenders)

    def contend(number: int) -> lease.Held | None:
        start.wait(PATIENCE_S)
        try:
            return lease.acquire(name, seconds=60, holder=f"racer {number}")
        finally:
            connection.close()

    with ThreadPoolExecutor(contenders) as pool:
        return [held for held in pool.map(contend, range(contenders)) if held is not None]


@pytest.mark.django_db(transaction=True)
def test_of_eight_that_ask_for_a_new_lease_at_once_one_gets_it() -> None:
    assert len(_race(8, "new")) == 1


@pytest.mark.django_db(transaction=True)
def test_of_eight_that_ask_for_an_expired_lease_at_once_one_gets_it() -> None:
    expired = lease.acquire("old", seconds=-1, holder="gone")
    assert expired is not None
    winners = _race(8, "old")
    assert [held.token for held in winners] == [expired.token + 1]
