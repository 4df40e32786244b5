"""The far side for tests: the simulator's accounts behind an httpx transport, without sockets."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

import httpx

from accounts.gateway.directory import far_side
from accounts.gateway.openalgo import OpenAlgoGateway
from accounts.models import Account
from simulator.rest.dispatch import dispatch
from simulator.world import World

KEY = "k" * 20


class SimulatorTransport(httpx.BaseTransport):
    """Answers as simulated account `index` (from 1) would; a delay past the read limit becomes a time-out."""

    def __init__(self, world: World, index: int) -> None:
        self.world, self.index = world, index

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        outcome = dispatch(
            self.world.accounts[self.index - 1],
            request.method,
            request.url.path,
            request.headers.get("content-type"),
            request.read(),
            dict(request.url.params),
        )
        limit = request.extensions["timeout"]["read"]
        if outcome.transport == "hang" or outcome.delay_s > limit:
            raise httpx.ReadTimeout("simulated", request=request)
        if outcome.transport == "drop":
            raise httpx.ReadError("simulated", request=request)
        return httpx.Response(outcome.status, content=outcome.payload, headers={"content-type": outcome.content_type})


def gateway(world: World, index: int = 1, **options: Any) -> OpenAlgoGateway:
    key = world.accounts[index - 1].api_key
    return OpenAlgoGateway(
        9000 + index, f"http://sim{index}.test", key, transport=SimulatorTransport(world, index), orders_per_second=500, **options
    )


def saying(answer: Callable[[httpx.Request], httpx.Response], *, account_id: int = 9100) -> OpenAlgoGateway:
    """A server that answers as told."""
    return OpenAlgoGateway(account_id, "http://told.test", KEY, transport=httpx.MockTransport(answer), orders_per_second=500)


def behind(world: World) -> AbstractContextManager[None]:
    """Every account at 127.0.0.1:5601, 5602 … is the simulated account 1, 2 …; any other port has no server."""

    def door(account: Account) -> OpenAlgoGateway:
        index = (urlsplit(account.host_url).port or 0) - 5600
        there = 1 <= index <= len(world.accounts)
        return OpenAlgoGateway.of(account, transport=SimulatorTransport(world, index) if there else httpx.MockTransport(_nobody))

    return far_side(door)


def _nobody(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("simulated", request=request)
