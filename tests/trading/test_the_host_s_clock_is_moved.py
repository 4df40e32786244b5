"""Somebody, or the time service after a long sleep, moves the wall clock of the host while orders are in doubt."""

from __future__ import annotations

from datetime import timedelta

import pytest

from algomirror.ops.steps import Steps
from tests.trading.desk import LOT, Desk
from trading.models import Book


def _owned(desk: Desk) -> Book:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.run_until(lambda: desk.owned(book, "CE") == LOT)
    desk.run(2)
    return book


@pytest.mark.parametrize("jump_s", [0, 120])
def test_an_exit_in_doubt_is_not_doubled_when_the_clock_jumps_ahead(live: Desk, jump_s: int) -> None:
    """The order is there, and the book shows it late: patience is real seconds, whatever the clock says."""
    book = _owned(live)
    live.fault("timeout_after_accept", count=1)
    live.fault("late_visibility", seconds=20.0, count=1)
    live.fault("slow_fill", seconds=19.0, count=1)
    live.exit(book)
    live.run_until(lambda: len(live.placed("CE", action="SELL")) == 1, dt=0.1)
    live.clock.set(live.now() + timedelta(seconds=jump_s))
    live.quote()
    lowest = LOT
    for _ in range(80):
        live.run(0.5)
        lowest = min(lowest, live.net("CE"))
    assert lowest == 0
    assert ("CLOCK_STEPPED" in live.alarms()) == bool(jump_s)


def test_a_clock_set_back_is_told(live: Desk) -> None:
    book = _owned(live)
    live.fault("slow_fill", seconds=600, count=1)
    live.exit(book)
    live.run_until(lambda: len(live.placed("CE", action="SELL")) == 1)
    live.clock.set(live.now() - timedelta(seconds=120))
    live.run(2)
    assert "CLOCK_STEPPED" in live.alarms()


def test_a_step_counts_for_a_minute_and_only_ahead(live: Desk) -> None:
    steps = Steps()
    assert steps.look() == 0.0
    live.clock.advance(300)
    assert steps.look() == 0.0
    live.clock.set(live.now() + timedelta(seconds=30))
    assert steps.look() == pytest.approx(30)
    live.clock.set(live.now() - timedelta(seconds=10))
    assert steps.look() == pytest.approx(-10)
    assert steps.ahead_s() == pytest.approx(30)
    live.clock.advance(61)
    assert (steps.look(), steps.ahead_s()) == (0.0, 0)


def test_patience_is_real_also_for_a_process_that_begins_after_the_clock_was_set(live: Desk) -> None:
    """The host came up with a wrong clock, or was corrected while the workers were down: nobody saw the step."""
    book = _owned(live)
    live.fault("timeout_after_accept", count=1)
    live.fault("late_visibility", seconds=20.0, count=1)
    live.fault("slow_fill", seconds=19.0, count=1)
    live.exit(book)
    live.run_until(lambda: len(live.placed("CE", action="SELL")) == 1, dt=0.1)
    live.set_clock(120)
    live.begin_anew()
    live.quote()
    lowest = LOT
    for _ in range(80):
        live.run(0.5)
        lowest = min(lowest, live.net("CE"))
    assert lowest == 0


def test_a_sender_is_waited_for_as_long_as_it_really_takes(live: Desk) -> None:
    """The clock is set ahead while an exit is on the wire; another worker looks."""
    book = _owned(live)
    seen: list[str] = []

    def meanwhile() -> None:
        live.set_clock(120)
        live.poll()
        seen.append(live.orders(book, exits=True)[0].state)

    live.fault("timeout_after_accept", count=1)
    live.side.while_hanging = meanwhile
    live.exit(book)
    live.step()
    assert seen == ["SUBMITTED"]  # it may report yet
