"""The running process: ports, the tick loop, saving."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from simulator.control.api import control_application
from simulator.http import RestServer
from simulator.store import Store
from simulator.stream.sockets import AUTH_GRACE_S, StreamServer
from simulator.stream.ticks import TickWriter
from simulator.world import World

PULSE_S = 0.05


@dataclass(frozen=True, slots=True)
class Ports:
    """Control on `base`; account i has REST on base + 2i - 1 and WebSocket on base + 2i."""

    base: int

    def rest(self, index: int) -> int:
        return self.base + 2 * index - 1

    def stream(self, index: int) -> int:
        return self.base + 2 * index


class Runtime:
    """Everything that needs an event loop. `tick_ms` 0 pauses the market."""

    def __init__(
        self,
        world: World,
        ports: Ports,
        host: str = "127.0.0.1",
        tick_ms: float = 500.0,
        state_file: Path | None = None,
        auth_grace_s: float = AUTH_GRACE_S,
    ) -> None:
        self.world = world
        self.ports = ports
        self.host = host
        self.tick_ms = tick_ms
        self.frames_sent = 0
        self.streams = [StreamServer(account, auth_grace_s) for account in world.accounts]
        self._store = None if state_file is None else Store(state_file, world)
        self.rests = [RestServer(account) for account in world.accounts]
        self._runners: list[web.AppRunner] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        if self._store is not None:
            self._store.restore()
        for account, rest, stream in zip(self.world.accounts, self.rests, self.streams, strict=True):
            await rest.start(self.host, self.ports.rest(account.index))
            await self._listen(stream.application(), self.ports.stream(account.index))
        await self._listen(control_application(self), self.ports.base)
        self._tasks = [asyncio.create_task(self._tick_forever()), asyncio.create_task(self._pulse_forever())]

    async def _listen(self, app: web.Application, port: int) -> None:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, self.host, port).start()
        self._runners.append(runner)

    async def _tick_forever(self) -> None:
        due = time.monotonic()
        while True:
            interval = self.tick_ms / 1000.0
            if interval <= 0:
                await asyncio.sleep(PULSE_S)
                due = time.monotonic()
                continue
            due = max(due + interval, time.monotonic() - interval)
            await asyncio.sleep(max(due - time.monotonic(), 0.0))
            if self.tick_ms > 0 and self.world.tick():
                for count in self._pieces():
                    self.frames_sent += count
                    await asyncio.sleep(0)  # the first symbols leave while the last are written

    async def _pulse_forever(self) -> None:
        while True:
            await asyncio.sleep(PULSE_S)
            for account, stream in zip(self.world.accounts, self.streams, strict=True):
                account.paper.settle()
                account.real.settle()
                account.flush()
                await stream.strike()
            if self._store is not None:
                self._store.maybe_save(time.monotonic())

    def step(self, steps: int) -> None:
        """Tick and tell every socket."""
        for _ in range(steps):
            if self.world.tick():
                self.broadcast()

    def broadcast(self) -> None:
        self.frames_sent += sum(self._pieces())

    def _pieces(self) -> Iterator[int]:
        writer = TickWriter(self.world.market)
        for stream in self.streams:
            yield from stream.send_ticks(writer)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for stream in self.streams:
            await stream.close()
        await asyncio.gather(*(rest.stop() for rest in self.rests))
        for runner in self._runners:
            await runner.cleanup()
        if self._store is not None:
            self._store.flush()
