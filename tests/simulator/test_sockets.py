"""Real sockets: deadlines, closing codes, capacity and the routing of ticks."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from simulator.stream.protocol import Hub
from simulator.stream.ticks import TickWriter
from tests.patience import PATIENCE_S
from tests.simulator.desk import CALL, PUT, Desk, Listener

SOON = pytest.mark.parametrize("grace_s", [1.0])


def url(desk: Desk, account: int = 1) -> str:
    return f"http://127.0.0.1:{desk.runtime.ports.stream(account)}"


@SOON
async def test_an_idle_socket_is_closed_4401_even_after_a_wrong_key(running: Desk, session: aiohttp.ClientSession) -> None:
    async with session.ws_connect(url(running)) as idle, session.ws_connect(url(running)) as wrong:
        await wrong.send_json({"action": "authenticate", "api_key": "f" * 64})
        assert (await wrong.receive_json())["code"] == "AUTHENTICATION_ERROR"
        for ws in (idle, wrong):
            message = await ws.receive(timeout=PATIENCE_S)
            assert (message.data, message.extra) == (4401, "auth timeout")


@SOON
async def test_an_authenticated_socket_outlives_the_deadline(running: Desk, listener: Listener) -> None:
    assert await listener.silence(1.1)
    assert not listener.ws.closed


@SOON
async def test_a_broken_broker_session_leaves_a_half_authenticated_socket(running: Desk, session: aiohttp.ClientSession) -> None:
    running.arm("token_expired")
    async with session.ws_connect(url(running)) as ws:
        client = Listener(ws, running.world.accounts[0].api_key)
        assert (await client.authenticate())["code"] == "BROKER_ERROR"
        assert (await client.subscribe(CALL))["message"] == "Broker adapter not found"
        assert (await client.say(action="subscribe_orders"))["status"] == "success"
        await asyncio.sleep(1.1)
        assert not ws.closed


async def test_a_frame_over_one_mebibyte_is_closed_1009(running: Desk, listener: Listener) -> None:
    await listener.ws.send_str("x" * (1024 * 1024 + 1))
    await listener.ws.receive(timeout=PATIENCE_S)
    assert listener.ws.close_code == 1009


async def test_absurd_messages_are_answered_and_the_socket_lives(running: Desk, listener: Listener) -> None:
    huge = await listener.say(action="subscribe", symbol=CALL, exchange="NFO", request_id=10**30)
    assert huge["request_id"] == 10**30
    assert (await listener.say(action="subscribe", symbols=5))["code"] == "SERVER_ERROR"
    assert (await listener.say(action="subscribe", symbols=[{"symbol": [], "exchange": "NFO"}]))["status"] == "success"
    assert (await listener.say(action="subscribe", symbols=[{"symbol": [1], "exchange": "NFO"}]))["code"] == "SERVER_ERROR"
    assert (await listener.say(action="ping"))["type"] == "pong"


async def test_stopping_closes_sockets_1001(desk: Desk, session: aiohttp.ClientSession) -> None:
    await desk.runtime.start()
    ws = await session.ws_connect(url(desk))
    waiting = asyncio.create_task(ws.receive(timeout=PATIENCE_S))
    await asyncio.sleep(0.05)
    await desk.runtime.stop()
    assert (await waiting).data == 1001


async def test_order_updates_and_ticks_arrive_on_the_right_account(
    running: Desk, session: aiohttp.ClientSession, listener: Listener
) -> None:
    async with session.ws_connect(url(running, 2)) as ws:
        second = Listener(ws, running.world.accounts[1].api_key)
        await second.authenticate()
        for client in (listener, second):
            await client.say(action="subscribe_orders")
        running.order(account=2)
        assert [(await second.hear())["order_status"] for _ in range(2)] == ["open", "complete"]
        assert await listener.silence()


def frames(desk: Desk, hub: Hub) -> dict[Any, list[tuple[int, str]]]:
    """(tag, payload kind) each session gets of one tick."""
    got: dict[Any, list[tuple[int, str]]] = {session: [] for session in hub.sessions}
    for session, frame in TickWriter(desk.world.market).frames(hub):
        message = json.loads(frame)
        got[session].append((message["mode"], message["data"]["mode"]))
    return got


def test_ticks_are_routed_by_mode(desk: Desk) -> None:
    hub = Hub(desk.world.accounts[0])
    ltp, quote, depth, all_modes = (hub.join() for _ in range(4))
    for session, modes in ((ltp, (1,)), (quote, (2,)), (depth, (3,)), (all_modes, (1, 2, 3))):
        session.modes = {("NFO", CALL): set(modes)}
    got = frames(desk, hub)
    assert got[ltp] == [(1, "full"), (1, "quote"), (1, "ltp")]
    assert got[quote] == [(2, "full"), (2, "quote")]
    assert got[depth] == [(3, "full")]
    assert got[all_modes] == [(3, "full"), (2, "quote"), (1, "ltp")]


def test_only_asked_modes_are_ticked(desk: Desk) -> None:
    hub = Hub(desk.world.accounts[0])
    session = hub.join()
    session.modes = {("NFO", CALL): {1}}
    assert frames(desk, hub)[session] == [(1, "ltp")]


def test_capacity_is_per_user_and_counts_modes(desk: Desk) -> None:
    hub = Hub(desk.world.accounts[0], capacity=2)
    one, two = hub.join(), hub.join()
    for session in (one, two):
        session.receive(json.dumps({"action": "authenticate", "api_key": hub.account.api_key}))
    ask = {"action": "subscribe", "symbols": [{"symbol": CALL, "exchange": "NFO"}, {"symbol": PUT, "exchange": "NFO"}]}
    assert one.receive(json.dumps({**ask, "mode": 1}))[0]["status"] == "success"
    over = two.receive(json.dumps({**ask, "mode": 1}))[0]
    assert over["status"] == "partial"
    assert over["subscriptions"][0]["message"].endswith("Currently subscribed to 2 symbols.")
    assert one.receive(json.dumps({**ask, "mode": 1}))[0]["status"] == "success"


@pytest.mark.parametrize("closed", [True, False])
def test_ticks_stop_outside_the_session_unless_always_open(closed: bool) -> None:
    desk = Desk(always_open=not closed)
    desk.world.clock.set(desk.world.clock.now().replace(hour=20))
    assert desk.world.tick() is not closed
