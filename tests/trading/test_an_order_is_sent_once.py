from __future__ import annotations

from tests.trading.desk import LOT, Desk
from tests.trading.points import Crash, Points, die
from trading.services import submit


def _second_worker_hangs(desk: Desk, where: str) -> None:
    """Another worker takes a pass and never comes back from the wire."""
    mine, desk.side.points = desk.side.points, Points()
    try:
        with desk.side.points.watch(die, where=lambda name: name == where):
            desk.step()
    except Crash:
        pass
    finally:
        desk.side.points = mine


def test_a_second_worker_finds_the_order_on_the_wire_and_leaves_it(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.poll()
    order = desk.orders(book)[0]

    def hang() -> None:
        _second_worker_hangs(desk, "wire after placeorder")

    # The first worker has read the order as unsent; before it claims, the other one is already on the wire.
    with desk.side.points.watch(hang, at=0):
        assert submit.send(order.pk, still=lambda _: True) == "not claimed"
    assert len(desk.placed("CE")) == 1


def test_sending_twice_sends_once(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.poll()
    order = desk.orders(book)[0]
    assert submit.send(order.pk, still=lambda _: True) == "sent"
    assert submit.send(order.pk, still=lambda _: True) == "not claimed"
    assert len(desk.placed("CE")) == 1
    assert desk.placed("CE")[0].quantity == LOT
