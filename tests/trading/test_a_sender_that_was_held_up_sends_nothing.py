"""Between decision and wire a process may be frozen, or the whole host asleep. What it wanted to send is old by then."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.trading.desk import LOT, Desk


def _frozen(desk: Desk) -> None:
    desk.clock.advance(60)


def _asleep(desk: Desk) -> None:
    """Only the clock on the wall goes on while a host sleeps."""
    desk.clock.set(desk.now() + timedelta(seconds=60))


@pytest.mark.parametrize("held_up", [_frozen, _asleep])
def test_the_second_hedge_is_given_back_and_decided_anew(live: Desk, held_up: Callable[[Desk], None]) -> None:
    book = live.strangle(wait_s=600)
    live.poll()

    def once(account: int, endpoint: str) -> None:
        if endpoint == "placeorder":
            live.side.after_dispatch = None
            held_up(live)

    live.side.after_dispatch = once
    live.step()
    assert len(live.placed()) == 1, "the other one never left its sender"
    live.run_until(lambda: live.owned(book, "CE") == live.owned(book, "PE") == -LOT, seconds=30)
    assert sorted(o.leg for o in live.orders(book) if o.filled_units) == [1, 2, 3, 4]
    assert [live.net(name) for name in ("CEW", "PEW", "CE", "PE")] == [LOT, LOT, -LOT, -LOT]
    live.exit(book)
    live.run_until(lambda: live.state(book) == "FLAT", seconds=30)
