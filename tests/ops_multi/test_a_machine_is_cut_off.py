"""Two machines on one PostgreSQL, and the cable of one is cut: in no instant does its half-done work hold up the other, and
what it says when it comes back changes nothing. The same with whole processes and Redis is in test_two_of_everything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import pytest
from django.db import Error as DatabaseFailed
from django.db import connection, transaction

from algomirror.kernel import clock
from algomirror.ops.metronome import TERM_S, Metronome
from algomirror.ops.models import Lease
from tests.ops_multi.lines import Line
from tests.patience import PATIENCE_S, wait_for
from tests.trading import truth
from tests.trading.desk import LOT, Desk, a_desk
from trading.services import work

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("connection.vendor != 'postgresql'", reason="a cable leads to PostgreSQL, in its own pass"),
]
BEATS: list[str] = []
PATH = f"{__name__}.beat"


def beat() -> None:
    BEATS.append("a" if connection.settings_dict.get("cable") else "b")


class Machine:
    """A thread with a connection of its own, behind a cable."""

    def __init__(self, cable: Line, options: str = "") -> None:
        self._cable, self._options = cable, options
        self._thread: Thread | None = None
        self.failed: list[BaseException] = []

    def does(self, what: Callable[[], Any]) -> None:
        def run() -> None:
            own = connection.settings_dict
            more = {"options": self._options} if self._options else {}
            far = {"HOST": "127.0.0.1", "PORT": str(self._cable.port), "cable": True, "OPTIONS": {**own["OPTIONS"], **more}}
            connection.settings_dict = own | far
            try:
                what()
            except DatabaseFailed as error:
                self.failed.append(error)
            finally:
                connection.close()

        self._thread = Thread(target=run, daemon=True)
        self._thread.start()

    def ends(self) -> None:
        assert self._thread is not None
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()


@pytest.fixture
def cable() -> Line:
    BEATS.clear()
    return Line(int(connection.settings_dict["PORT"]))


@contextmanager
def held_up(cable: Line) -> Iterator[None]:
    """Cut now, whole again afterwards."""
    cable.cut()
    try:
        yield
    finally:
        cable.mend()


def test_the_beat_goes_over_to_the_other_machine_and_does_not_come_back(cable: Line) -> None:
    far, near, machine = Metronome({PATH: 0.1}, holder="a"), Metronome({PATH: 0.1}, holder="b"), Machine(cable)
    turned, go_on, asking = Event(), Event(), Event()

    def life() -> None:
        far.turn()
        turned.set()
        assert go_on.wait(PATIENCE_S)
        asking.set()
        far.turn()  # its question to the database hangs here until the cable is whole
        far.turn()

    with clock.use(clock.FrozenClock(clock.now())) as still:
        assert isinstance(still, clock.FrozenClock)
        machine.does(life)
        assert turned.wait(PATIENCE_S)
        near.turn()
        assert BEATS == ["a"] and not near.is_active
        with held_up(cable):
            still.advance(TERM_S - 0.1)
            go_on.set()
            assert asking.wait(PATIENCE_S)
            near.turn()
            assert not near.is_active, "a lease that still runs is nobody else's"
            still.advance(1.1)
            near.turn()
            assert near.is_active and BEATS == ["a", "b"]
        machine.ends()
        assert not far.is_active and BEATS == ["a", "b"]
        assert Lease.objects.get(name="metronome").holder == "b"


def test_an_order_whose_answer_cannot_be_written_down_is_found_by_the_other_machine(cable: Line) -> None:
    with a_desk("live") as desk:
        machine = Machine(cable)
        book = desk.open(desk.line(1, "SELL", "CE", LOT))
        on_the_wire = Event()

        def cut(_: int, endpoint: str) -> None:
            if endpoint == "placeorder" and not on_the_wire.is_set():
                cable.cut()
                on_the_wire.set()

        desk.side.after_dispatch = cut
        machine.does(lambda: work.step(desk.accounts[0].pk))
        assert on_the_wire.wait(PATIENCE_S)
        _goes_on(desk, lambda: desk.owned(book, "CE") == -LOT)
        desk.exit(book)
        _goes_on(desk, lambda: desk.state(book) == "FLAT")
        cable.mend()
        machine.ends()
        assert desk.settle()
        assert truth.lies(desk) + truth.unsettled(desk) == []
        assert (len(desk.side.sent), desk.net("CE")) == (2, 0)


def _goes_on(desk: Desk, until: Callable[[], bool]) -> None:
    """Passes of the machine that is left."""
    for _ in range(240):
        if until():
            return
        desk.step()
        desk.advance(0.5)
    raise AssertionError("the other machine did not go on alone")


def test_what_it_had_locked_is_let_go_of(cable: Line) -> None:
    """Row locks of a transaction that can never end, on a server that hears nothing of it."""
    Lease.objects.create(name="x", holder="a", token=1, expires=clock.now())
    machine, locked = Machine(cable, "-c idle_in_transaction_session_timeout=300"), Event()

    def half() -> None:
        with transaction.atomic():
            Lease.objects.filter(name="x").update(holder="half done")
            cable.cut()
            locked.set()
            Lease.objects.filter(name="x").update(token=9)

    machine.does(half)
    assert locked.wait(PATIENCE_S)
    assert wait_for(lambda: Lease.objects.filter(name="x", token=1).update(holder="b"), "the row to be free")
    cable.mend()
    machine.ends()
    assert machine.failed and Lease.objects.get(name="x").holder == "b"


def test_every_connection_has_that_limit() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("10s",)
