"""Somebody, or the time service after a long sleep, moves the wall clock of the host while orders are in doubt."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts import reads
from algomirror.ops.steps import Steps
from tests.trading.desk import LOT, Desk
from trading.models import Book
from trading.services import moments, work


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


def _back(desk: Desk, seconds: float) -> None:
    desk.clock.set(desk.now() - timedelta(seconds=seconds))
    desk.quote()


BACK = pytest.mark.parametrize("back_s", [0, 1, 120, 3600])


@BACK
def test_an_exit_that_rests_follows_the_price_all_the_same(live: Desk, back_s: float) -> None:
    book = _owned(live)
    live.fault("slow_fill", seconds=600, count=1)
    live.exit(book)
    live.run_until(lambda: len(live.placed("CE", action="SELL")) == 1)
    _back(live, back_s)
    live.run_until(lambda: live.state(book) == Book.State.FLAT, seconds=20)
    assert live.net("CE") == 0


@BACK
def test_an_exit_that_was_lost_goes_out_again_and_once(live: Desk, back_s: float) -> None:
    book = _owned(live)
    live.fault("timeout_before_accept", count=1)
    live.exit(book)
    live.run_until(lambda: live.orders(book, exits=True) != [])
    live.run(1)
    _back(live, back_s)
    live.run_until(lambda: live.state(book) == Book.State.FLAT, seconds=25)
    assert (live.net("CE"), len(live.placed("CE", action="SELL"))) == (0, 1)


@BACK
def test_an_exit_in_doubt_is_not_doubled_when_the_clock_goes_back(live: Desk, back_s: float) -> None:
    book = _owned(live)
    live.fault("timeout_after_accept", count=1)
    live.fault("late_visibility", seconds=8.0, count=1)
    live.fault("slow_fill", seconds=7.0, count=1)
    live.exit(book)
    live.run_until(lambda: len(live.placed("CE", action="SELL")) == 1, dt=0.1)
    _back(live, back_s)
    lowest = LOT
    for _ in range(80):
        live.run(0.5)
        lowest = min(lowest, live.net("CE"))
    assert (lowest, live.net("CE"), live.state(book)) == (0, 0, Book.State.FLAT)


@BACK
def test_what_fills_as_the_clock_goes_back_is_known_at_once(live: Desk, back_s: float) -> None:
    book = live.strangle()
    live.run_until(lambda: len(live.placed()) == 2, dt=0.1)
    _back(live, back_s)
    live.run_until(lambda: live.owned(book, "CE") == live.owned(book, "PE") == -LOT, seconds=10)
    assert len(live.placed()) == 4
    live.exit(book)
    live.run_until(lambda: live.state(book) == Book.State.FLAT, seconds=10)


def test_who_never_saw_the_clock_before_goes_on_too(live: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is started after the step."""
    book = _owned(live)
    live.fault("slow_fill", seconds=600, count=1)
    live.exit(book)
    live.run_until(lambda: len(live.placed("CE", action="SELL")) == 1)
    monkeypatch.setattr(moments.steps, "look", lambda: 0.0)
    _back(live, 120)
    live.run_until(lambda: live.state(book) == Book.State.FLAT, seconds=20)


def test_a_read_under_way_as_the_clock_goes_back_proves_nothing(live: Desk) -> None:
    """Nobody knows what it is newer than: an order sent behind it would count as missing."""
    _owned(live)
    number = reads.sequence(live.accounts[0].pk, "ORDERS")
    live.side.after_dispatch = lambda account, endpoint: _back(live, 60)
    assert not live.poll()
    live.side.after_dispatch = None
    assert reads.sequence(live.accounts[0].pk, "ORDERS") == number
    assert live.poll()


def test_an_account_without_business_is_looked_at_again(live: Desk) -> None:
    live.run(2)
    _back(live, 3600)
    assert work.due_accounts() == [live.accounts[0].pk]


def test_what_is_read_after_the_clock_was_set_back_is_the_newest(live: Desk) -> None:
    """Somebody closed the position at a terminal since. A reading of before, dated in the future, does not hide that."""
    book = _owned(live)
    live.run(120)
    live.clock.set(live.now() - timedelta(seconds=60))
    live.outside("SELL", "CE", LOT)
    live.run(6)
    live.exit(book)
    live.run(8)
    assert live.placed("CE", action="SELL") == [] and live.net("CE") == 0
    assert "BOOK_FROZEN" in live.alarms()


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
