"""Fault kinds that strike sockets and the transport, over real ports."""

from __future__ import annotations

import math
from typing import Any

import aiohttp
import pytest

from tests.patience import PATIENCE_S
from tests.simulator.desk import CALL, PUT, Desk, Listener

# -- sockets ----------------------------------------------------------------------------------------------------


async def _orders_on(listener: Listener) -> None:
    assert (await listener.say(action="subscribe_orders"))["status"] == "success"


async def test_lost_order_update_never_arrives(running: Desk, listener: Listener) -> None:
    await _orders_on(listener)
    running.arm("lost_order_update")
    running.order()
    assert (await listener.hear())["order_status"] == "complete"
    assert await listener.silence()


async def test_duplicate_order_update_arrives_twice(running: Desk, listener: Listener) -> None:
    await _orders_on(listener)
    running.arm("duplicate_order_update")
    running.order()
    assert [(await listener.hear())["order_status"] for _ in range(3)] == ["open", "open", "complete"]


async def test_reordered_order_update_arrives_after_the_next(running: Desk, listener: Listener) -> None:
    await _orders_on(listener)
    running.arm("reordered_order_update")
    running.order()
    assert [(await listener.hear())["order_status"] for _ in range(2)] == ["complete", "open"]


async def test_late_order_update_arrives_after_some_seconds(running: Desk, listener: Listener) -> None:
    await _orders_on(listener)
    running.arm("late_order_update", params={"seconds": 2.0})
    running.order()
    assert (await listener.hear())["order_status"] == "complete"
    running.world.clock.advance(2.1)
    assert (await listener.hear())["order_status"] == "open"


async def test_silent_socket_is_open_but_mute(running: Desk, listener: Listener) -> None:
    await listener.subscribe(CALL)
    await _orders_on(listener)
    running.arm("silent_socket")
    running.runtime.step(3)
    running.order()
    assert await listener.silence()
    assert not listener.ws.closed
    running.control("DELETE", "/faults")
    running.runtime.step(1)
    assert (await listener.hear())["type"] == "market_data"


@pytest.mark.parametrize(("code", "seen"), [(1006, 1006), (1011, 1011)])
async def test_drop_socket_closes_it(running: Desk, listener: Listener, code: int, seen: int) -> None:
    running.arm("drop_socket", params={"code": code})
    message = await listener.ws.receive(timeout=PATIENCE_S)
    assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)
    assert listener.ws.close_code == seen


async def test_relogin_drop_forgets_subscriptions_without_a_word(running: Desk, listener: Listener) -> None:
    await listener.subscribe(CALL)
    await _orders_on(listener)
    running.arm("relogin_drop")
    await running.runtime.streams[0].strike()
    running.runtime.step(2)
    assert await listener.silence()
    refused = await listener.subscribe(CALL)
    assert (refused["code"], refused["message"]) == ("BROKER_ERROR", "Broker adapter not found")
    running.order()
    assert (await listener.hear())["type"] == "order_update"
    await listener.hear()
    await listener.authenticate()
    assert (await listener.subscribe(CALL))["status"] == "success"


async def test_mute_symbol_silences_one_symbol(running: Desk, listener: Listener) -> None:
    await listener.subscribe(CALL, PUT)
    running.arm("mute_symbol", symbol=CALL)
    running.runtime.step(2)
    assert {(await listener.hear())["symbol"] for _ in range(2)} == {PUT}
    assert await listener.silence()


async def test_drop_symbol_forgets_one_symbol_until_it_is_subscribed_again(running: Desk, listener: Listener) -> None:
    await listener.subscribe(CALL, PUT)
    running.arm("drop_symbol", symbol=CALL)
    running.runtime.step(2)
    assert {(await listener.hear())["symbol"] for _ in range(2)} == {PUT}
    await listener.subscribe(CALL)
    running.runtime.step(1)
    assert {(await listener.hear())["symbol"] for _ in range(2)} == {CALL, PUT}


async def test_frozen_ticks_repeat_the_last_one_with_its_stamp(running: Desk, listener: Listener) -> None:
    await listener.subscribe(CALL)
    running.arm("frozen_ticks")
    for _ in range(3):
        running.runtime.step(1)
        running.world.clock.advance(1)
    first, *others = [(await listener.hear())["data"] for _ in range(3)]
    assert others == [first, first]
    running.control("DELETE", "/faults")
    running.runtime.step(1)
    assert (await listener.hear())["data"]["timestamp"] > first["timestamp"]


@pytest.mark.parametrize(("kind", "params", "factor"), [("zero_price", {}, 0.0), ("price_spike", {"percent": -40.0}, 0.6)])
async def test_price_faults_reach_the_socket_too(
    running: Desk, listener: Listener, kind: str, params: dict[str, Any], factor: float
) -> None:
    await listener.subscribe(CALL)
    running.arm(kind, endpoint="stream", params=params)
    running.runtime.step(2)
    bent, honest = (await listener.hear())["data"]["ltp"], (await listener.hear())["data"]["ltp"]
    assert bent == pytest.approx(honest * factor, rel=0.05)


async def test_nan_ticks_are_bare_tokens(running: Desk, listener: Listener) -> None:
    await listener.subscribe(CALL)
    running.arm("nan_price", endpoint="stream")
    running.runtime.step(1)
    assert math.isnan((await listener.hear())["data"]["ltp"])


# -- over real HTTP ---------------------------------------------------------------------------------------------


async def test_a_hanging_and_a_dropped_reply_look_so_to_an_http_client(running: Desk, session: aiohttp.ClientSession) -> None:
    url = f"http://127.0.0.1:{running.runtime.ports.rest(1)}/api/v1/ping"
    body = {"apikey": running.world.accounts[0].api_key}
    running.arm("timeout_after_accept", endpoint="ping")
    with pytest.raises(TimeoutError):
        await session.post(url, json=body, timeout=aiohttp.ClientTimeout(total=0.15))
    running.arm("lost_reply", endpoint="ping")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await session.post(url, json=body)
    async with session.post(url, json=body) as reply:
        assert reply.status == 200
