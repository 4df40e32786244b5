"""The desk against a real server process with faults on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account
from algomirror.kernel import clock
from marketdata import quotes
from marketdata.domain.quotes import Quote, Source
from marketdata.feed import client, watch
from marketdata.feed.client import Link
from marketdata.feed.desk import Desk
from marketdata.feed.orders import OrderStreams
from marketdata.feed.wanted import Wanted
from marketdata.reference.load import load
from tests.marketdata.cast import Guards, account, control, owner
from tests.marketdata.feed_stand import CALL, NIFTY, PUT, Servers
from tests.patience import PATIENCE_S, wait_for
from tests.simulator.conftest import Simulator

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


@dataclass
class Stand:
    servers: Servers
    desk: Desk
    account: Account
    guards: Guards

    @property
    def simulator(self) -> Simulator:
        return self.servers.up[0]

    def control(self, path: str, **fields: Any) -> Any:
        return control(self.simulator.base, path, **fields)

    def until(self, true: Callable[[], Any], what: str) -> Any:
        """Wait, looking after the desk as the runner does each second."""
        looked = [0.0]

        def check() -> Any:
            if clock.monotonic() - looked[0] > 0.25:
                looked[0] = clock.monotonic()
                self.desk.look_after()
            return true()

        return wait_for(check, what, every_s=0.02)

    def watch(self, *keys: str, held: tuple[str, ...] = ()) -> None:
        self.desk.want(Wanted(frozenset(held), frozenset({NIFTY}), (("chain:x", frozenset(keys)),)))

    def ticking(self, key: str) -> None:
        seen = self.desk.tape.newest(key)
        since = seen.received_at if seen else None
        self.until(lambda: self._newer(key, since), f"{key} ticks")

    def _newer(self, key: str, since: Any) -> bool:
        newest = self.desk.tape.newest(key)
        return newest is not None and newest.source is Source.STREAM and (since is None or newest.received_at > since)


@pytest.fixture
def stand(servers: Servers, guards: Guards, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    monkeypatch.setattr(client, "WAITS_S", (0.2, 0.5))
    monkeypatch.setattr(watch, "INDEX_SILENT_S", 1.0)
    monkeypatch.setattr(watch, "RECONNECT_AFTER_S", 5.0)
    servers.ensure()
    simulator = servers.up[0]
    load(actor="test", always_open_days=1)
    row = account(owner(), rest=simulator.base + 1, stream=simulator.base + 2, key=simulator.keys[0])
    desk = Desk(lambda: True)
    desk.use(row)
    standing = Stand(servers, desk, row, guards)
    yield standing
    desk.stop()
    for worker in (desk.stream, desk.guards, desk.store, desk.asker):
        assert worker is not None
        worker.join(PATIENCE_S)


def test_ticks_reach_the_guards_and_the_store(stand: Stand) -> None:
    stand.watch(CALL)
    stand.ticking(CALL)
    stand.until(lambda: len(stand.guards.prices(CALL)) > 3, "batches at the guards")

    def streamed() -> dict[str, Quote] | None:
        """Without the answer by REST to the first question, which may be the newest for a moment."""
        held = quotes.fresh([CALL, NIFTY], clock.now())
        return held if len(held) == 2 and {one.source for one in held.values()} == {Source.STREAM} else None

    stored = stand.until(streamed, "fresh in the store")
    assert stored[CALL].bid < stored[CALL].ask and stored[CALL].bid_units
    assert stand.desk.stream is not None
    assert stand.desk.stream.ledger.acknowledged == {CALL, NIFTY}
    assert stand.desk.figures()["state"] == "LIVE"


def test_what_nobody_wants_any_more_stops_ticking(stand: Stand) -> None:
    stand.watch(CALL)
    stand.ticking(CALL)
    stand.watch()
    assert stand.desk.stream is not None
    stand.until(lambda: stand.desk.stream and stand.desk.stream.ledger.acknowledged == {NIFTY}, "unsubscribed")
    stand.ticking(NIFTY)
    taken = stand.desk.unasked
    stand.ticking(NIFTY)
    stand.ticking(NIFTY)
    assert stand.desk.unasked <= taken + 1
    assert stand.desk.tape.newest(CALL) is None


def test_a_dropped_socket_is_reconnected_and_everything_subscribed_again(stand: Stand) -> None:
    stand.watch(CALL, PUT)
    stand.ticking(CALL)
    stand.control("/faults", kind="drop_socket")
    stand.until(lambda: stand.desk.stream and stand.desk.stream.connects == 2, "reconnected")
    stand.ticking(CALL)
    stand.ticking(PUT)


def test_a_server_that_restarts_is_found_again(stand: Stand) -> None:
    stand.watch(CALL)
    stand.ticking(CALL)
    stand.simulator.stop()
    stand.until(lambda: stand.desk.stream and stand.desk.stream.link is Link.DOWN, "noticed")
    stand.servers.restart(0)
    stand.ticking(CALL)


def test_a_relogin_that_drops_the_subscriptions_on_an_open_socket_is_healed_by_a_new_login(stand: Stand) -> None:
    stand.watch(CALL)
    stand.ticking(CALL)
    stand.control("/faults", kind="relogin_drop")
    stand.until(lambda: (stand.desk.index_silent_s(clock.monotonic()) or 0) > 0.9, "silence")
    stand.ticking(NIFTY)
    stand.ticking(CALL)
    assert stand.desk.stream is not None and stand.desk.stream.connects == 1


def test_a_socket_that_falls_silent_is_left_for_a_new_one(stand: Stand) -> None:
    stand.watch(CALL)
    stand.ticking(CALL)
    fault = stand.control("/faults", kind="silent_socket")
    assert fault["id"]
    stand.until(lambda: stand.desk.stream and stand.desk.stream.connects >= 2, "reconnected")


def test_a_muted_position_is_asked_by_rest_before_its_price_is_too_old(stand: Stand) -> None:
    stand.watch(held=(CALL,))
    stand.ticking(CALL)
    stand.until(lambda: quotes.get([CALL]), "stored")
    stand.control("/faults", kind="mute_symbol", symbol=CALL.partition(":")[2])

    def asked() -> bool:
        stored = quotes.get([CALL])[CALL]
        assert quotes.fresh([CALL], clock.now()), "a held contract went stale on a living stream"
        return stored.source is Source.REST

    stand.until(asked, "asked by REST")
    by_rest = lambda: (newest := stand.desk.tape.newest(CALL)) is not None and newest.source is Source.REST  # noqa: E731
    stand.until(by_rest, "the tape and the guards have it too")
    assert stand.guards.batches[-1] is not None


def test_with_the_stream_down_positions_are_read_by_rest(stand: Stand) -> None:
    stand.watch(held=(CALL,))
    stand.ticking(CALL)
    stand.until(lambda: quotes.get([CALL]), "stored")
    assert stand.desk.stream is not None
    stand.desk.stream.stop()
    stand.until(lambda: quotes.get([CALL])[CALL].source is Source.REST, "asked by REST")


@pytest.mark.parametrize("kind", ["zero_price", "nan_price"])
def test_a_bad_price_is_never_stored_or_shown_to_a_guard(stand: Stand, kind: str) -> None:
    stand.watch(CALL)
    stand.ticking(CALL)
    stand.until(lambda: quotes.get([CALL]), "stored")
    stand.control("/faults", kind=kind, symbol=CALL.partition(":")[2], count=10)
    refused = stand.desk.tape.refused
    stand.until(lambda: stand.desk.tape.refused >= refused + 3, "bad ticks arrived")
    assert quotes.get([CALL])[CALL].last_price > 0
    assert all(price.is_finite() and price > 0 for price in stand.guards.prices(CALL))


def test_a_spike_of_one_tick_reaches_nobody(stand: Stand) -> None:
    stand.watch(CALL)
    stand.ticking(CALL)
    before = stand.desk.tape.newest(CALL)
    assert before is not None
    stand.control("/faults", kind="price_spike", symbol=CALL.partition(":")[2], endpoint="stream", params={"percent": 500})
    stand.until(lambda: stand.desk.tape.doubts >= 1, "the spike arrived")
    stand.ticking(CALL)
    assert max(stand.guards.prices(CALL)) < before.last_price * Decimal(3)


def test_a_broken_guard_stops_neither_store_nor_stream(stand: Stand) -> None:
    stand.guards.fails = True
    stand.watch(CALL)
    stand.ticking(CALL)
    stand.until(lambda: quotes.fresh([CALL], clock.now()), "stored")
    stand.guards.fails = False
    stand.until(lambda: stand.guards.prices(CALL), "judged again")


def test_a_price_nobody_has_seen_yet_is_asked_for_once(stand: Stand) -> None:
    stand.control("/faults", kind="mute_symbol", symbol=PUT.partition(":")[2])
    stand.watch(PUT)
    stand.until(lambda: quotes.get([PUT]), "a first price by REST")


def test_a_wrong_key_is_refused_and_said(stand: Stand) -> None:
    wrong = client.Stream(client.Endpoint(9, stand.account.websocket_url, "wrong-key-000"), lambda frame, at: None)
    wrong.start()
    wait_for(lambda: wrong.link is Link.REFUSED, "the key to be refused")
    assert "AUTHENTICATION_ERROR" in wrong.last_error and "wrong-key-000" not in wrong.last_error
    wrong.stop()
    wrong.join(timeout=5)


def test_a_key_that_cannot_be_opened_breaks_nothing_and_counts_as_failed(stand: Stand) -> None:
    stand.account.sealed_key = b"rubbish"
    stand.desk.use(stand.account)
    assert stand.desk.stream is None
    assert stand.desk.failures() >= watch.REFUSALS_BEFORE_SWITCH
    streams = OrderStreams()
    streams.keep([stand.account])
    assert streams.count() == 0
    stand.account.refresh_from_db()
    stand.desk.use(stand.account)
    stand.watch(CALL)
    stand.ticking(CALL)


def test_an_order_update_is_a_hint_to_look(stand: Stand) -> None:
    from algomirror.ops import queue

    streams = OrderStreams()
    streams.keep([stand.account])
    wait_for(lambda: streams.live() == 1, "the order stream to live")
    key = f"am:queued:work:{stand.account.pk}"
    order = {"exchange": "NFO", "symbol": CALL.partition(":")[2], "action": "BUY", "quantity": 65, "product": "NRML"}
    control(
        stand.simulator.base + 1, "/api/v1/placeorder", apikey=stand.simulator.keys[0], strategy="t", pricetype="MARKET", **order
    )
    wait_for(lambda: queue.client().exists(key), "work to be queued")
    streams.stop()
