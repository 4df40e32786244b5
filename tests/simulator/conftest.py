from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.environment import free_ports
from tests.patience import PATIENCE_S
from tests.simulator.desk import Desk, Listener

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture
def grace_s() -> float:
    """How long a socket may stay without a key. Only who tests just that makes it short."""
    return PATIENCE_S


@pytest.fixture
async def running(desk: Desk, grace_s: float) -> AsyncIterator[Desk]:
    """The desk with its ports open; ticks only when a test steps."""
    desk.runtime = type(desk.runtime)(desk.world, desk.runtime.ports, tick_ms=0, auth_grace_s=grace_s)
    await desk.runtime.start()
    yield desk
    await desk.runtime.stop()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as client:
        yield client


@pytest.fixture
async def listener(running: Desk, session: aiohttp.ClientSession) -> AsyncIterator[Listener]:
    """An authenticated socket on account 1."""
    async with session.ws_connect(f"http://127.0.0.1:{running.runtime.ports.stream(1)}") as ws:
        client = Listener(ws, running.world.accounts[0].api_key)
        await client.authenticate()
        yield client


@dataclass
class Simulator:
    """A real simulator process."""

    process: subprocess.Popen[str]
    base: int
    keys: list[str]

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def start_simulator() -> Iterator[Callable[..., Simulator]]:
    """Starts simulator processes on free ports and stops what is left of them."""
    started: list[Simulator] = []

    def start(*arguments: str, accounts: int = 1, base: int | None = None) -> Simulator:
        base = base or free_ports(2 * accounts + 1)
        command = [sys.executable, "-m", "simulator", "--accounts", str(accounts), "--port-base", str(base)]
        process = subprocess.Popen(
            [*command, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
        )
        assert process.stdout is not None
        keys: list[str] = []
        for line in process.stdout:
            if line.startswith("account "):
                keys.append(line.split()[-1])
            if line == "simulator ready\n":
                break
        simulator = Simulator(process, base, keys)
        started.append(simulator)
        return simulator

    yield start
    for simulator in started:
        simulator.stop()
