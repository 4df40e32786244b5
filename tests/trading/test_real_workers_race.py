"""Several real workers on one account at the same time, each with its own connection to the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from threading import Event, Thread

import pytest
from django.db import connection

from algomirror.ops import seats
from tests.trading import truth
from tests.trading.desk import LOT, Desk, a_desk
from trading.services import work

WORKERS = 3


@pytest.fixture(params=["sandbox", "live"])
def desk(transactional_db: None, request: pytest.FixtureRequest) -> Iterator[Desk]:
    with a_desk(request.param) as found:
        yield found


def _race(desk: Desk, seconds: float, *, seated: bool) -> list[BaseException]:
    """Workers take passes without any agreement while the market moves on; what they trip over is returned.

    `seated`: as in a pump, where what they write at once is one commit.
    """
    stop = Event()
    tripped: list[BaseException] = []

    def worker() -> None:
        while not stop.is_set():
            try:
                with seats.taken() if seated else nullcontext():
                    work.step(desk.accounts[0].pk)
            except Exception as error:
                tripped.append(error)  # as in production: the turn is over, the next one begins anew
        connection.close()

    threads = [Thread(target=worker) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for _ in range(int(seconds / 0.25)):
        stop.wait(0.02)
        with desk.side.one_at_a_time:
            desk.advance(0.25)
    stop.set()
    for thread in threads:
        thread.join()
    return tripped


@pytest.mark.parametrize("seated", [False, True], ids=["each by itself", "seated"])
def test_they_send_each_order_once_and_end_flat(desk: Desk, seated: bool) -> None:
    book = desk.strangle(2 * LOT, wait_s=60)
    desk.poll()
    desk.fault("timeout_after_accept", symbol=desk.symbols["PE"])
    assert _race(desk, 20, seated=seated) == []
    assert truth.lies(desk) == []
    desk.run_until(lambda: desk.owned(book, "CE") == desk.owned(book, "PE") == -2 * LOT)
    desk.exit(book)
    assert _race(desk, 12, seated=seated) == []
    assert truth.lies(desk) == []
    assert desk.settle()
    assert truth.lies(desk) + truth.unsettled(desk) == []
    assert [desk.net(n) for n in ("CE", "PE", "CEW", "PEW")] == [0, 0, 0, 0]
    assert desk.state(book) == "FLAT" and "DRIVE_FAILED" not in desk.alarms()
