"""One hand on the control port and one on the REST face, in process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import aiohttp

from simulator.clock import IST, SimClock
from simulator.control.api import control
from simulator.rest.core import Outcome
from simulator.rest.dispatch import dispatch
from simulator.runtime import Ports, Runtime
from simulator.world import World
from tests.environment import free_ports
from tests.patience import PATIENCE_S

MORNING = datetime(2026, 11, 20, 10, 0, tzinfo=IST)
CALL = "NIFTY01DEC2626000CE"
PUT = "NIFTY01DEC2626000PE"
LOT = 65


class Desk:
    """A frozen world at 10:00 on 20 Nov 2026, account 1 unless told otherwise."""

    def __init__(self, **options: Any) -> None:
        defaults: dict[str, Any] = {
            "accounts": 2,
            "seed": 7,
            "clock": SimClock(MORNING, frozen=True),
            "always_open": True,
            "limits": None,
        }
        self.world = World(**{**defaults, **options})
        self.runtime = Runtime(self.world, Ports(free_ports(5)), tick_ms=0)

    def control(self, method: str, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        return control(self.runtime, method, path, json.dumps(body).encode() if body else b"")

    def arm(self, kind: str, **fields: Any) -> dict[str, Any]:
        status, fault = self.control("POST", "/faults", kind=kind, account=fields.pop("account", 1), **fields)
        assert status == 200, fault
        return fault

    def hits(self) -> list[int]:
        return [fault["hits"] for fault in self.control("GET", "/faults")[1]["faults"]]

    def send(self, endpoint: str, account: int = 1, **fields: Any) -> Outcome:
        server = self.world.accounts[account - 1]
        body = json.dumps({"apikey": server.api_key, **fields}).encode()
        return dispatch(server, "POST", f"/api/v1/{endpoint}", "application/json", body, {})

    def ask(self, endpoint: str, account: int = 1, **fields: Any) -> Any:
        return json.loads(self.send(endpoint, account, **fields).payload)

    def order(self, symbol: str = CALL, account: int = 1, **fields: Any) -> Any:
        return json.loads(self.place(symbol, account, **fields).payload)

    def place(self, symbol: str = CALL, account: int = 1, **fields: Any) -> Outcome:
        order = {
            "strategy": "t",
            "exchange": "NFO",
            "symbol": symbol,
            "action": "BUY",
            "quantity": LOT,
            "pricetype": "MARKET",
            "product": "NRML",
        }
        return self.send("placeorder", account, **{**order, **fields})

    def orders(self, account: int = 1) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.ask("orderbook", account)["data"]["orders"]
        return rows

    def status(self, orderid: str) -> str:
        return str(self.ask("orderstatus", strategy="t", orderid=orderid)["data"]["order_status"])

    def pass_time(self, seconds: float, ticks: int = 1) -> None:
        self.world.clock.advance(seconds)
        self.world.tick(ticks)

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """The order book of account 1 must not change inside."""
        before = len(self.orders())
        yield
        assert len(self.orders()) == before


class Listener:
    """An authenticated test client on one account's socket."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, key: str) -> None:
        self.ws, self.key = ws, key

    async def say(self, **message: Any) -> Any:
        await self.ws.send_json(message)
        return await self.hear()

    async def hear(self, within: float = PATIENCE_S) -> Any:
        return await self.ws.receive_json(timeout=within)

    async def authenticate(self) -> Any:
        return await self.say(action="authenticate", api_key=self.key)

    async def subscribe(self, *symbols: str, mode: int = 1, exchange: str = "NFO") -> Any:
        wanted = [{"symbol": symbol, "exchange": exchange} for symbol in symbols]
        return await self.say(action="subscribe", symbols=wanted, mode=mode)

    async def silence(self, seconds: float = 0.1) -> bool:
        """True when nothing is heard for that long."""
        try:
            await self.ws.receive(timeout=seconds)
        except TimeoutError:
            return True
        return False
