"""The far side for tests: the simulator's accounts, or a server that answers as told, without sockets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

import httpx

from accounts.gateway import line
from accounts.gateway.connection import Broken, Heard
from accounts.gateway.directory import far_side
from accounts.gateway.openalgo import OpenAlgoGateway
from accounts.gateway.reports import NoReply
from accounts.models import Account
from simulator.rest.dispatch import dispatch
from simulator.world import World

KEY = "k" * 20


class Httpx:
    """An httpx transport in the place of the line; what it raises becomes what the line would say of it."""

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self.transport = transport

    def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> Heard | NoReply:
        limits = {"timeout": {"connect": timeout_s, "read": timeout_s, "write": timeout_s, "pool": timeout_s}}
        request = httpx.Request(method, f"http://far.test{target}", headers=dict(headers), content=body, extensions=limits)
        try:
            response = self.transport.handle_request(request)
            content = response.read()
        except httpx.ConnectTimeout:
            return line.unreached(TimeoutError())
        except httpx.ConnectError as error:
            return line.unreached(OSError(str(error)))
        except httpx.TimeoutException:
            return line.broken(TimeoutError())
        except httpx.NetworkError:
            return line.broken(OSError())
        except httpx.HTTPError:
            return line.broken(Broken())
        said = response.headers
        return Heard(response.status_code, said.get("content-type", ""), said.get("location", ""), content)

    def close(self) -> None:
        self.transport.close()


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
        9000 + index,
        f"http://sim{index}.test",
        key,
        transport=Httpx(SimulatorTransport(world, index)),
        orders_per_second=500,
        **options,
    )


def saying(answer: Callable[[httpx.Request], httpx.Response], *, account_id: int = 9100) -> OpenAlgoGateway:
    """A server that answers as told."""
    return OpenAlgoGateway(
        account_id, "http://told.test", KEY, transport=Httpx(httpx.MockTransport(answer)), orders_per_second=500
    )


def behind(world: World) -> AbstractContextManager[None]:
    """Every account at 127.0.0.1:5601, 5602 … is the simulated account 1, 2 …; any other port has no server."""

    def door(account: Account) -> OpenAlgoGateway:
        index = (urlsplit(account.host_url).port or 0) - 5600
        there = 1 <= index <= len(world.accounts)
        return OpenAlgoGateway.of(account, transport=Httpx(SimulatorTransport(world, index) if there else NOBODY))

    return far_side(door)


def _nobody(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("simulated", request=request)


NOBODY = httpx.MockTransport(_nobody)
