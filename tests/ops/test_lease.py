from __future__ import annotations

from datetime import UTC, datetime

import pytest

from algomirror.kernel import clock
from algomirror.ops import lease

pytestmark = pytest.mark.django_db


def test_only_one_process_holds_a_lease_until_it_expires() -> None:
    with clock.use(clock.FrozenClock(datetime(2026, 11, 20, 4, 0, tzinfo=UTC))) as frozen:
        first = lease.acquire("feed:1", seconds=5, holder="a")
        assert first is not None
        assert lease.acquire("feed:1", seconds=5, holder="b") is None
        frozen.advance(5.1)  # type: ignore[attr-defined]
        second = lease.acquire("feed:1", seconds=5, holder="b")
        assert second is not None and second.token == first.token + 1
        assert not lease.renew(first, seconds=5)
        assert lease.renew(second, seconds=5)


def test_a_released_lease_is_free_at_once() -> None:
    held = lease.acquire("x", seconds=60)
    assert held is not None
    lease.release(held)
    assert lease.acquire("x", seconds=60) is not None
