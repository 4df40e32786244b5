"""Memory of the feed, the pages, the simulator and Redis while prices flow and browsers come and go.

    python -m bench.soak                              30 minutes, 1,000 symbols, 5,000 ticks a second, 8 browsers
    python -m bench.soak --minutes=5 --rate=1000      shorter, and lighter on a machine that others use
    python -m bench.soak --samples=soak.csv           every sample besides the figures

Memory is flat when its slope after the warm-up is: a level alone does not tell a slow leak from a late allocation.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that the file runs by its path too

import asyncio
import csv
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean, median

import aiohttp
import psutil
import redis

from bench.feed import chains, figures, listens, signed_in, view, wanted_symbols
from bench.figure import Figure, report
from bench.stand import MB, Stand, a_stand, until

NAME = "soak"
SYMBOLS, BROWSERS = 1_000, 8
STAY_S = 45.0  # a browser leaves and comes again, so that what is kept per connection shows
EVERY_S = 5.0
FLAT_MIB_PER_HOUR = 6.0
LEAST_MINUTES_FOR_A_SLOPE = 10.0


@dataclass(frozen=True)
class Sample:
    at_s: float
    rss: float
    pss: float
    uss: float


@dataclass
class Browsing:
    """What all browsers together saw. `refused`: connections that a busy machine did not answer in time."""

    messages: int = 0
    refused: int = 0


async def _come_and_go(url: str, headers: dict[str, str], topics: Sequence[str], at: int, end: float, seen: Browsing) -> None:
    """One browser until `end`, over as many connections as that takes."""
    while time.monotonic() < end:
        try:
            await _stay(url, headers, topics[at % len(topics)], min(time.monotonic() + STAY_S, end), seen)
        except (aiohttp.ClientError, TimeoutError):
            seen.refused += 1
            await asyncio.sleep(1.0)
        at += 1


async def _stay(url: str, headers: dict[str, str], topic: str, leave: float, seen: Browsing) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(url, headers=headers) as ws:
        for name in ("market", topic):
            await ws.send_json({"op": "subscribe", "topic": name})
        while time.monotonic() < leave:
            message = await ws.receive(timeout=30)
            if message.type != aiohttp.WSMsgType.TEXT:
                return
            seen.messages += 1


def _browse(stand: Stand, cookie: str, topics: list[str], end: float, seen: Browsing) -> None:
    headers = {"Cookie": f"sessionid={cookie}", "Origin": f"http://127.0.0.1:{stand.web_port}"}
    url = f"http://127.0.0.1:{stand.web_port}/ws"

    async def all_of_them() -> None:
        await asyncio.gather(*(_come_and_go(url, headers, topics, at, end, seen) for at in range(BROWSERS)))

    asyncio.run(all_of_them())


def _sample(process: psutil.Process, began: float) -> Sample:
    seen = process.memory_full_info()
    return Sample(time.monotonic() - began, seen.rss / MB, seen.pss / MB, seen.uss / MB)


def slope_per_hour(samples: Sequence[Sample], after_s: float) -> float:
    """MiB an hour of what is the process's own (USS) after the warm-up: the median of the slopes between any two samples.

    Shared pages are left out: their share changes when another program on the machine starts or ends. One step, as a
    stalled machine makes it, is no slope.
    """
    late = [one for one in samples if one.at_s >= after_s][::3]
    return median((b.uss - a.uss) / (b.at_s - a.at_s) for a, b in combinations(late, 2)) * 3600


def _figures(name: str, samples: Sequence[Sample], minutes: float) -> list[Figure]:
    warm_s = minutes * 60 / 3
    late = [one for one in samples if one.at_s >= warm_s]
    half = len(late) // 2
    target = FLAT_MIB_PER_HOUR if minutes >= LEAST_MINUTES_FOR_A_SLOPE else None
    grown = median(one.uss for one in late[half:]) - median(one.uss for one in late[:half])
    return [
        Figure(
            NAME,
            f"{name}: slope after {warm_s / 60:.0f} min",
            round(slope_per_hour(samples, warm_s), 2),
            "MiB/h",
            target,
            "lower",
        ),
        Figure(NAME, f"{name}: second half less first half", round(grown, 2), "MiB", None, "lower"),
        Figure(NAME, f"{name}: PSS at the end", round(fmean(one.pss for one in late[-6:]), 1), "MiB", None, "lower"),
        Figure(NAME, f"{name}: most RSS", round(max(one.rss for one in samples), 1), "MiB", None, "lower"),
    ]


def soak(minutes: float, rate: float, samples_to: str | None) -> list[Figure]:
    with a_stand(pinned=False) as stand:
        simulator = stand.started[-1]
        feed = stand.feed()
        web = stand.start(
            sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(stand.web_port), "algomirror.asgi:application"
        )
        until(lambda: listens(stand.web_port), 60, "the pages")
        until(lambda: figures().get("state") == "LIVE", 60, "the feed")
        keys = wanted_symbols(SYMBOLS)
        view(stand, keys)
        until(lambda: figures().get("acknowledged", 0) >= len(keys), 60, "symbols subscribed")
        stand.control("/tick", ms=1000 * SYMBOLS / rate)
        watched = {"feed": feed, "pages": psutil.Process(web.pid), "simulator": psutil.Process(simulator.pid)}
        found: dict[str, list[Sample]] = {name: [] for name in [*watched, "redis"]}
        began, ticks, seen = time.monotonic(), figures()["ticks"], Browsing()
        end = began + minutes * 60
        browsers = threading.Thread(target=_browse, args=(stand, signed_in(stand), chains(), end, seen))
        browsers.start()
        store = redis.Redis(port=stand.redis_port)
        while time.monotonic() < end:
            for name, process in watched.items():
                found[name].append(_sample(process, began))
            memory = store.info("memory")
            used = memory["used_memory"] / MB
            found["redis"].append(Sample(time.monotonic() - began, memory["used_memory_rss"] / MB, used, used))
            time.sleep(EVERY_S)
        browsers.join()
        took = time.monotonic() - began
        taken = (figures()["ticks"] - ticks) / took
        if samples_to:
            _write(samples_to, found)
    told = [
        Figure(NAME, "load of the machine at the end", round(os.getloadavg()[0], 1), "", None, "lower"),
        Figure(NAME, "ticks taken", round(taken), "1/s", 0.9 * rate, "higher"),
        Figure(NAME, f"messages at {BROWSERS} browsers", round(seen.messages / took), "1/s", None, "higher"),
        Figure(NAME, "connections refused", seen.refused, "", None, "lower"),
    ]
    return told + [one for name, samples in found.items() for one in _figures(name, samples, minutes)]


def _write(path: str, found: dict[str, list[Sample]]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["process", "at_s", "rss_mib", "pss_mib", "uss_mib"])
        for name, samples in found.items():
            rows.writerows([name, round(one.at_s, 1), round(one.rss, 2), round(one.pss, 2), round(one.uss, 2)] for one in samples)


def main(arguments: list[str]) -> int:
    given = dict(text.removeprefix("--").split("=", 1) for text in arguments if "=" in text)
    return report(soak(float(given.get("minutes", 30)), float(given.get("rate", 5_000)), given.get("samples")))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
