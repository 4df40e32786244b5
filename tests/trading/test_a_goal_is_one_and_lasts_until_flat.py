from __future__ import annotations

import pytest

from tests.trading import hooks
from tests.trading.desk import LOT, Desk
from trading.models import ExitGoal


def test_ten_triggers_make_one_goal_and_one_order(desk: Desk) -> None:
    book = desk.open(desk.line(1, "SELL", "CE"))
    desk.run_until(lambda: desk.owned(book, "CE") == -LOT)
    goals = {getattr(desk.exit(book, reason=r), "pk", None) for r in ("MAX_LOSS", "TRAILING_STOP", "MANUAL", "KILL_SWITCH") * 3}
    assert len(goals) == 1
    assert desk.settle()
    assert sum(o.filled for o in desk.placed("CE", action="BUY")) == LOT
    assert ExitGoal.objects.filter(book=book).count() == 1


def test_nothing_to_close_makes_no_goal(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.run_until(lambda: desk.owned(book, "CE") == LOT)
    desk.exit(book)
    assert desk.settle()
    assert desk.exit(book) is None


def test_a_wider_request_widens_the_open_goal(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"), desk.line(2, "BUY", "PE"))
    desk.run_until(lambda: desk.owned(book, "CE") == desk.owned(book, "PE") == LOT)
    desk.fault("refuse", count=3)
    part = desk.exit(book, targets=desk.target("CE"))
    desk.step()
    whole = desk.exit(book)
    assert part is not None and whole is not None and part.pk == whole.pk
    assert desk.settle()
    assert (desk.net("CE"), desk.net("PE"), desk.state(book)) == (0, 0, "FLAT")


def test_a_part_is_closed_and_the_rest_goes_on(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE", 3 * LOT), desk.line(2, "BUY", "PE"))
    desk.run_until(lambda: desk.owned(book, "CE") == 3 * LOT and desk.owned(book, "PE") == LOT)
    desk.exit(book, targets=desk.target("CE", LOT))
    assert desk.settle()
    assert (desk.net("CE"), desk.net("PE"), desk.state(book)) == (LOT, LOT, "OPEN")


def test_a_goal_during_entry_stops_it_and_brings_out_what_came_in(desk: Desk) -> None:
    book = desk.strangle(3 * LOT)
    desk.run_until(lambda: any(desk.net(n) for n in ("CEW", "PEW")), dt=0.1)
    desk.exit(book)
    assert desk.settle()
    assert desk.state(book) == "FLAT"
    assert [desk.net(n) for n in ("CE", "PE", "CEW", "PEW")] == [0, 0, 0, 0]


def test_a_fill_between_the_cancel_and_its_answer_is_brought_out_too(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE", limit="90"))
    desk.run_until(lambda: desk.orders(book)[0].state == "ACCEPTED")
    desk.run(1)

    def fill() -> None:
        desk.world.set_price("NFO", desk.symbols["CE"], 88.0)
        for _ in range(4):
            desk.world.match()

    desk.exit(book)
    with desk.side.points.watch(fill, where=lambda name: name == "wire before cancelorder"):
        desk.step()
    desk.quote()
    assert desk.settle()
    assert (desk.net("CE"), desk.state(book)) == (0, "FLAT")


@pytest.mark.parametrize("count", [5, 20])
def test_it_never_gives_up(desk: Desk, count: int) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.run_until(lambda: desk.owned(book, "CE") == LOT)
    desk.fault("refuse", count=count)
    desk.exit(book)
    desk.run(14 * count, dt=1.0)
    assert desk.settle(seconds=60)
    assert (desk.net("CE"), desk.state(book)) == (0, "FLAT")
    assert {"EXIT_REJECTED", "EXIT_SLOW"} <= desk.alarms()


def test_on_a_halted_account_an_exit_that_works_is_left_at_work(live: Desk) -> None:
    """Nothing could take its place at another price before a person releases the account."""
    book = live.open(live.line(1, "BUY", "CE"))
    live.run_until(lambda: live.owned(book, "CE") == LOT)
    live.run(2)
    live.fault("slow_fill", seconds=8, count=1)
    live.exit(book)
    live.run_until(lambda: len(live.placed("CE", action="SELL")) == 1, dt=0.1)
    hooks.halted[live.accounts[0].pk] = ["an overfill elsewhere"]
    live.run(30)
    assert (live.net("CE"), live.state(book)) == (0, "FLAT")


def test_on_a_halted_account_a_goal_still_cancels_and_sends_nothing(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE", limit="60"), desk.line(2, "BUY", "PE"))
    desk.run_until(lambda: desk.owned(book, "PE") == LOT)
    hooks.halt_account(desk.accounts[0].pk, why="test", by="test")
    desk.exit(book)
    desk.run(8)
    assert {o.state for o in desk.orders(book, exits=False) if o.leg == 1} == {"CANCELED"}
    assert desk.orders(book, exits=True) == [] and desk.net("PE") == LOT


def test_without_a_price_it_still_goes_out(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.run_until(lambda: desk.owned(book, "CE") == LOT)
    desk.stale.add("CE")
    desk.run(20)
    desk.exit(book)
    assert desk.settle()
    assert (desk.net("CE"), desk.state(book)) == (0, "FLAT")


def test_it_walks_after_a_market_that_runs_away(desk: Desk) -> None:
    book = desk.open(desk.line(1, "SELL", "CE"))
    desk.run_until(lambda: desk.owned(book, "CE") == -LOT)
    desk.exit(book)
    for n in range(8):
        desk.price("CE", 100.0 + 12 * n)
        desk.step()
        desk.advance(0.4)
    assert desk.settle()
    assert (desk.net("CE"), desk.state(book)) == (0, "FLAT")


def test_a_slow_exit_rings_and_a_stuck_one_goes_on(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.run_until(lambda: desk.owned(book, "CE") == LOT)
    desk.fault("slow_fill", count=100, seconds=50)
    desk.exit(book)
    desk.run(40)
    assert {"EXIT_SLOW", "EXIT_STUCK"} <= desk.alarms() and desk.goal(book).state == "STUCK"
    desk.calm()
    assert desk.settle(seconds=90)
    assert (desk.net("CE"), desk.state(book)) == (0, "FLAT")
