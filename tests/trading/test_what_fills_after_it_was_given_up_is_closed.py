"""The broker hides an order until it was given up and asked anew, or until everybody had left; then it fills."""

from __future__ import annotations

from algomirror.kernel.ids import new_key
from risk.services.kill import kill
from tests.trading.desk import LOT, Desk
from trading.models import Book, Position
from trading.services import byhand, intents


def _ticket(desk: Desk, units: int = LOT) -> None:
    desk.poll()
    line = desk.line(1, "BUY", "CE", units)
    intents.add_ticket_orders(account=desk.accounts[0], lines=[line], scope=new_key(), actor="user:alice")


def _close(desk: Desk, units: int | None = None) -> None:
    """The answer to this exit is lost, and the broker shows it long after."""
    desk.fault("timeout_after_accept", count=1)
    desk.fault("late_visibility", seconds=45, count=1)
    desk.fault("slow_fill", seconds=44, count=1)
    byhand.close_position(Position.objects.get(units__gt=0).pk, by="user:alice", key=new_key(), units=units)


def test_a_position_that_was_closed_twice_is_not_left_reversed(live: Desk) -> None:
    _ticket(live)
    live.run(8)
    _close(live)
    held = []
    for _ in range(300):
        live.run(0.5)
        held.append(live.net("CE"))
    assert min(held) == -LOT and held[-1] == 0 and "LATE_FILL" in live.alarms()
    assert sum(net < 0 for net in held) <= 10


def test_what_it_leaves_open_on_the_same_side_stays(live: Desk) -> None:
    """One of three lots was to leave, two have left: nothing is bought back."""
    _ticket(live, 3 * LOT)
    live.run(8)
    _close(live, LOT)
    live.run(120)
    assert live.net("CE") == LOT and "LATE_FILL" in live.alarms()


def test_a_ticket_s_entry_that_fills_after_all_was_closed_leaves_too(live: Desk) -> None:
    _ticket(live)
    live.run(8)
    live.fault("timeout_after_accept", count=1)
    live.fault("late_visibility", seconds=50, count=1)
    live.fault("slow_fill", seconds=49, count=1)
    _ticket(live)
    live.run(20)
    kill(scope="platform", target=None, level="FLATTEN", by="user:alice")
    held = []
    for _ in range(200):
        live.run(0.5)
        held.append(live.net("CE"))
    assert held[-1] == 0 and LOT in held[held.index(0) :], "it came back, and left"
    assert Book.objects.get(kind="TICKET").state == "OPEN"


def test_a_ticket_s_entry_that_was_lost_and_fills_is_kept(live: Desk) -> None:
    """Nobody asked to leave since: it is what was wanted."""
    live.fault("timeout_after_accept", count=1)
    live.fault("late_visibility", seconds=50, count=1)
    _ticket(live)
    live.run(120)
    assert live.net("CE") == LOT
