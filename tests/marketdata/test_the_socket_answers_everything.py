from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser
from django.db import connections
from django.test import Client

from accounts.models import User
from algomirror.kernel import clock
from algomirror.ops import push
from marketdata import chain_figures, consumers, quotes, viewing
from marketdata.chain_sink import ChainSink
from marketdata.consumers import LiveConsumer
from marketdata.feed.wanted import Wanted, wanted
from marketdata.instruments import _index_row
from marketdata.models import Underlying, ViewingSession
from marketdata.reference.load import load
from tests.marketdata.cast import Guards, list_options, owner, quote
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.django_db(transaction=True)

EXPIRY = date(2026, 12, 1)
CHAIN = "chain:NIFTY:2026-12-01:2"
CALL = "NFO:NIFTY01DEC2626000CE"
PUT = "NFO:NIFTY01DEC2626000PE"
NIFTY = "NSE_INDEX:NIFTY"
Plug = Callable[..., Any]


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


class Tab:
    """A browser tab."""

    def __init__(self, user: Any) -> None:
        self.wire = WebsocketCommunicator(LiveConsumer.as_asgi(), "/ws")
        self.wire.scope["user"] = user
        self.wire.scope["session"] = signed_in(user).session

    async def open(self) -> Tab:
        connected, _ = await self.wire.connect()
        assert connected
        return self

    async def say(self, **message: Any) -> None:
        await self.wire.send_to(text_data=json.dumps(message))

    async def hear(self, kind: str, topic: str | None = None, within_s: float = PATIENCE_S) -> dict[str, Any]:
        """The next message of a kind; others are passed over."""
        async with asyncio.timeout(within_s):
            while True:
                heard: dict[str, Any] = json.loads(await self.wire.receive_from(timeout=within_s))
                if heard["kind"] == kind and topic in (None, heard.get("topic")):
                    return heard


def _market() -> User:
    load(actor="test", always_open_days=1)
    for row in Underlying.objects.filter(enabled=True):
        _index_row(row).save()
    list_options("NIFTY", EXPIRY, range(25500, 26550, 50))
    quotes.put([quote(NIFTY, "26010", clock.now()), quote(CALL, "104.25", clock.now(), open_interest=5)])
    return owner()


@pytest.fixture
async def tab(guards: Guards) -> AsyncIterator[Tab]:
    tab = await (await sync_to_async(Tab)(await sync_to_async(_market)())).open()
    yield tab
    await tab.wire.disconnect()
    await sync_to_async(connections.close_all)()


async def test_a_stranger_is_closed_with_4401() -> None:
    wire = WebsocketCommunicator(LiveConsumer.as_asgi(), "/ws")
    wire.scope["user"] = AnonymousUser()
    await wire.connect()
    assert await wire.receive_output(timeout=PATIENCE_S) == {"type": "websocket.close", "code": 4401}


async def test_a_ping_is_answered(tab: Tab) -> None:
    await tab.say(op="ping")
    assert (await tab.hear("pong"))["at"]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("{", "message"),
        ("[]", "message"),
        ('"x"', "message"),
        ("x" * 9000, "message"),
        ("{}", "op"),
        ('{"op": 5}', "op"),
        ('{"op": "shout", "topic": "market"}', "op"),
        ('{"op": "subscribe"}', "topic"),
        ('{"op": "subscribe", "topic": 5}', "topic"),
        ('{"op": "subscribe", "topic": ""}', "topic"),
        ('{"op": "subscribe", "topic": "nothing"}', "topic"),
        ('{"op": "subscribe", "topic": "run:x"}', "topic"),
        ('{"op": "subscribe", "topic": "run:0"}', "topic"),
        ('{"op": "subscribe", "topic": "chain:NIFTY"}', "topic"),
        ('{"op": "subscribe", "topic": "chain:NIFTY:2026-13-01:5"}', "topic"),
        ('{"op": "subscribe", "topic": "chain:NIFTY:2026-12-01:0"}', "topic"),
        ('{"op": "subscribe", "topic": "chain:NIFTY:2026-12-01:999"}', "topic"),
        ('{"op": "subscribe", "topic": "chain:NOBODY:2026-12-01:5"}', "underlying"),
        ('{"op": "subscribe", "topic": "symbols:"}', "topic"),
        ('{"op": "subscribe", "topic": "symbols:NFO:NOTHING"}', "topic"),
    ],
)
async def test_a_bad_message_gets_an_error_that_names_the_field_and_the_socket_lives(tab: Tab, text: str, field: str) -> None:
    await tab.wire.send_to(text_data=text)
    error = await tab.hear("error")
    assert error["field"] == field and error["message"]
    await tab.say(op="ping")
    await tab.hear("pong")


async def test_a_binary_message_is_an_error_too(tab: Tab) -> None:
    await tab.wire.send_to(bytes_data=b"\x00")
    assert (await tab.hear("error"))["field"] == "message"


async def test_what_is_pushed_is_heard_in_order_with_numbers_without_gaps(tab: Tab) -> None:
    await tab.say(op="subscribe", topic="run:12")
    await tab.say(op="ping")
    await tab.hear("pong")
    for number in range(3):
        await sync_to_async(push.push)("run:12", "changed", order=number)
    heard = [await tab.hear("changed", "run:12") for _ in range(3)]
    assert [message["order"] for message in heard] == [0, 1, 2]
    assert [message["seq"] - heard[0]["seq"] for message in heard] == [0, 1, 2]


async def test_values_of_a_topic_melt_into_the_last_ones(tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "SEND_EVERY_S", 0.5)
    await tab.say(op="subscribe", topic="runs")
    await tab.say(op="ping")
    await tab.hear("pong")
    for pnl in ("1", "2", "3"):
        await sync_to_async(push.push)("runs", "values", v={"run:1:pnl": Decimal(pnl), f"run:{pnl}:x": pnl})
    await sync_to_async(push.flush)()
    heard: dict[str, Any] = {}
    while heard.get("run:1:pnl") != "3":
        heard |= (await tab.hear("values"))["v"]
    assert heard == {"run:1:pnl": "3", "run:1:x": "1", "run:2:x": "2", "run:3:x": "3"}
    assert await tab.wire.receive_nothing(timeout=0.7)


async def test_after_unsubscribing_nothing_is_heard(tab: Tab) -> None:
    await tab.say(op="subscribe", topic="orders")
    await tab.say(op="unsubscribe", topic="orders")
    await tab.say(op="unsubscribe", topic="never")
    await tab.say(op="ping")
    await tab.hear("pong")
    await sync_to_async(push.push)("orders", "changed")
    assert await tab.wire.receive_nothing(timeout=0.5)


async def test_a_chain_brings_the_stored_prices_at_once_and_makes_a_session_of_the_user(tab: Tab) -> None:
    await tab.say(op="subscribe", topic=CHAIN)
    first = await tab.hear("ticks", CHAIN)
    assert first["q"][CALL]["l"] == "104.25" and first["q"][CALL]["oi"] == 5 and "b" not in first["q"][CALL]
    session = await ViewingSession.objects.select_related("user").aget()
    assert session.user.username == "alice"
    assert {NIFTY, CALL, "NFO:NIFTY01DEC2625900PE", "NFO:NIFTY01DEC2626100CE"} <= set(session.symbols)
    assert len(session.symbols) == 11
    assert (await sync_to_async(viewing.live)())[CHAIN] == set(session.symbols)


async def test_ticks_pushed_for_the_chain_arrive_and_leaving_ends_the_session(tab: Tab) -> None:
    await tab.say(op="subscribe", topic=CHAIN)
    await tab.hear("ticks", CHAIN)
    await sync_to_async(push.push_ticks)(CHAIN, {CALL: '{"l":"105","t":1}'})
    while (await tab.hear("ticks", CHAIN))["q"].get(CALL, {}).get("l") != "105":
        pass
    await tab.wire.disconnect()
    assert not await ViewingSession.objects.aexists()


async def test_a_tab_that_leaves_while_redis_is_down_lets_go_of_what_it_watched(
    tab: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tab.say(op="subscribe", topic="market")
    await tab.say(op="subscribe", topic=CHAIN)
    await tab.hear("ticks", CHAIN)

    async def gone(*_: Any) -> None:
        raise redis.ConnectionError("gone")

    monkeypatch.setattr("channels_redis.pubsub.RedisPubSubLoopLayer.group_discard", gone)
    await tab.wire.disconnect()
    assert not await ViewingSession.objects.aexists()


async def test_a_list_of_symbols_is_watched_under_its_own_name(tab: Tab) -> None:
    topic = f"symbols:{CALL},{NIFTY}"
    await tab.say(op="subscribe", topic=topic)
    assert set((await tab.hear("ticks", topic))["q"]) == {CALL, NIFTY}
    session = await ViewingSession.objects.aget()
    await sync_to_async(push.push_ticks)(session.topic, {CALL: '{"l":"106","t":2}'})
    assert (await tab.hear("ticks", topic))["q"] == {CALL: {"l": "106", "t": 2}}


async def test_a_symbol_is_wanted_as_long_as_anybody_watches_it(tab: Tab) -> None:
    """A basket's leg of an expiry whose chain nobody has open; in two tabs, and in a chain besides."""
    topic = f"symbols:{CALL}"
    other = await (await sync_to_async(Tab)(await User.objects.aget())).open()
    for one in (tab, other):
        await one.say(op="subscribe", topic=topic)
        await one.hear("ticks", topic)
    await tab.say(op="subscribe", topic=CHAIN)
    await tab.hear("ticks", CHAIN)

    async def is_wanted() -> bool:
        return CALL in (await sync_to_async(wanted)(Wanted())).all

    await tab.say(op="unsubscribe", topic=CHAIN)
    await tab.say(op="unsubscribe", topic=topic)
    await tab.say(op="ping")
    await tab.hear("pong")
    assert await is_wanted()
    await other.wire.disconnect()
    assert not await is_wanted()


async def test_when_spot_moves_the_chain_follows_after_the_old_centre_was_kept(tab: Tab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "CARE_EVERY_S", 0.05)
    monkeypatch.setattr(consumers, "OLD_CENTRE_KEPT_S", 0.3)
    await tab.say(op="subscribe", topic=CHAIN)
    await tab.hear("ticks", CHAIN)
    await asyncio.sleep(1.1)  # the first turn of care still has the old period
    quotes.put([quote(NIFTY, "26090", clock.now())])
    changed = await tab.hear("changed", CHAIN)
    assert changed["centre"] == "26100.00"
    session = await ViewingSession.objects.aget()
    assert "NFO:NIFTY01DEC2626200CE" in session.symbols and "NFO:NIFTY01DEC2625900CE" not in session.symbols


async def test_cards_and_bars_are_told_once_for_all_and_then_only_when_they_change(tab: Tab) -> None:
    await tab.say(op="subscribe", topic=CHAIN)
    await tab.hear("ticks", CHAIN)
    watched = tuple((await sync_to_async(viewing.live)()).items())
    sink = ChainSink(lambda: True, lambda: tuple((topic, frozenset(keys)) for topic, keys in watched))
    await sync_to_async(sink.turn)()
    told = (await tab.hear("values", CHAIN))["v"]
    assert told["chain:pcr"] is None and told[f"share:{CALL}"] == "100.0" and told[f"doi:{CALL}"] == 0
    await sync_to_async(sink.turn)()
    quotes.put([quote("NFO:NIFTY01DEC2626000PE", "90", clock.now(), open_interest=10)])
    await sync_to_async(sink.turn)()
    heard = (await tab.hear("values", CHAIN))["v"]
    assert heard["chain:pcr"] == "2.00" and f"share:{PUT}" in heard and f"iv:{CALL}" not in heard
    assert chain_figures.kept(CHAIN)["chain:pcr"] == "2.00", "the next page finds them"


async def test_at_most_fifty_topics(tab: Tab) -> None:
    for number in range(1, 52):
        await tab.say(op="subscribe", topic=f"run:{number}")
    assert (await tab.hear("error"))["field"] == "topic"


def test_sessions_live_by_their_heartbeat_and_belong_to_nobody_after_it(guards: Guards) -> None:
    user = _market()
    with clock.use(clock.FrozenClock(clock.now())) as frozen:
        session = viewing.open_chain(user.pk, CHAIN)
        frozen.advance(299)  # type: ignore[attr-defined]
        assert CHAIN in viewing.live()
        viewing.heartbeat([session.key])
        frozen.advance(299)  # type: ignore[attr-defined]
        assert CHAIN in viewing.live()
        frozen.advance(2)  # type: ignore[attr-defined]
        assert viewing.live() == {}
        viewing.forget_expired()
    assert not ViewingSession.objects.exists()
