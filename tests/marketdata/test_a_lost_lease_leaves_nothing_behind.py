"""What a term of the lease held goes with it: a busy machine loses the lease again and again in a day."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from threading import Thread, current_thread
from typing import Any

import pytest
from django.db.backends.signals import connection_created
from django.db.models import F

from algomirror.kernel import clock
from algomirror.ops.models import Lease
from marketdata.candle_sink import CandleSink
from marketdata.chain_sink import ChainSink
from marketdata.feed.asking import Asker
from marketdata.feed.desk import Desk
from tests.marketdata.feed_stand import CALL, Servers, Stand, at_work, shorten
from tests.patience import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


@pytest.fixture(autouse=True)
def at_its_own_pace(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is found by a search for garbage that happens to run: the feed's own process hardly ever runs one."""
    shorten(monkeypatch)
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def lose_the_lease(stand: Stand) -> weakref.ref[Desk]:
    """As if another process had taken it; the desk that was at work, once another is."""
    lost = weakref.ref(stand.at_work.desk)
    Lease.objects.filter(name__startswith="feed:").update(token=F("token") + 1, holder="another", expires=clock.now())

    def is_next_at_work() -> bool:
        at_work = stand.runner.at_work
        return at_work is not None and at_work.desk is not lost()

    wait_for(is_next_at_work, "the next term", every_s=0.01)
    return lost


def test_a_desk_that_lost_the_lease_is_gone_two_terms_later(servers: Servers) -> None:
    with at_work(servers, CALL) as stand:
        lost = [lose_the_lease(stand) for _ in range(3)]
        # The last one's threads may still be ending on a slow machine; those before it had a whole term for that.
        assert [desk() for desk in lost[:2]] == [None, None]


def test_threads_of_a_lost_term_close_their_database_connections(servers: Servers) -> None:
    opened: list[tuple[Thread, Any]] = []

    def note(connection: Any, **_: Any) -> None:
        opened.append((current_thread(), connection))

    connection_created.connect(note)
    try:
        with at_work(servers, CALL) as stand:
            stand.until(lambda: any(thread is stand.at_work.desk.asker for thread, _ in opened), "it to ask by REST")
            of_the_term = [connection for thread, connection in opened if isinstance(thread, (Asker, CandleSink, ChainSink))]
            lose_the_lease(stand)
            # Django keeps a lost thread's connection, and the 20 MB that SQLite may hold for it, until it is garbage.
            stand.until(lambda: all(one.connection is None for one in of_the_term), "its connections to be closed")
    finally:
        connection_created.disconnect(note)
