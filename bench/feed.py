"""What the feed stands: ticks a second on one core, the way from tick to browser, and its memory.

    python -m bench.feed            every part, about three minutes
    python -m bench.feed --soak     memory over 30 minutes instead of one; --minutes=5 for another time
    python -m bench.feed ticks      one part: ticks, browsers or memory

The far side is the simulator. Its ticks carry the moment they were written, and everything runs on one machine with
one clock, so a delay is a difference of two readings of it.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that the file runs by its path too

import asyncio
import os
import subprocess
import time
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median, quantiles
from typing import Any

import orjson
import psutil

from bench.figure import Figure, report
from bench.stand import FEED_CORE, MB, ROOT, Stand, a_stand, until

NAME = "feed"
TICKS_A_SECOND = 5_000
CURVE = (10, 100, 1_000, 3_000)
# The simulator prices its whole list at each tick, so ten symbols cannot be made to tick 5,000 times a second by it.
SHORTEST_TICK_MS = 20.0
SETTLE_S, MEASURE_S = 6.0, 12.0
BROWSERS, WIDTH, LOOK_S = 20, 20, 30.0
BROWSER_TICK_MS = 200.0  # every symbol of every chain five times a second


def p99(values: Sequence[float]) -> float:
    return quantiles(values, n=100)[98] if len(values) > 1 else values[0]


def wanted_symbols(count: int) -> list[str]:
    """The first contracts of the simulator's own listing; nearest expiries and every index among them."""
    from marketdata.models import Instrument

    rows = Instrument.objects.order_by("expiry", "exchange", "symbol").values_list("exchange", "symbol")
    keys = [f"{exchange}:{symbol}" for exchange, symbol in rows if not exchange.endswith("_INDEX")]
    return keys[:count]


def view(stand: Stand, keys: list[str]) -> None:
    from algomirror.kernel import clock
    from marketdata.models import ViewingSession

    ViewingSession.objects.all().delete()
    for at in range(0, len(keys), 500):
        ViewingSession.objects.create(
            key=f"bench{at}", user=stand.user, topic=f"symbols:bench{at}", symbols=keys[at : at + 500],
            expires=clock.now() + timedelta(hours=2),
        )  # fmt: skip


def figures() -> dict[str, Any]:
    from algomirror.ops.models import Heartbeat

    row = Heartbeat.objects.filter(name="feed").first()
    return {} if row is None else row.detail


def delays_ms(keys: list[str]) -> list[float]:
    """From the simulator's stamp to the feed's receipt, of what the store holds now."""
    from marketdata import quotes

    held = quotes.get(keys).values()
    return [(q.received_at - q.exchange_at).total_seconds() * 1000 for q in held if q.exchange_at is not None]


def measure_ticks(stand: Stand, feed: psutil.Process, keys: list[str], tick_ms: float) -> dict[str, float]:
    """One point of the curve: ticks a second taken, share of a core, worst delay, and ticks lost."""
    stand.control("/tick", ms=500)
    view(stand, keys)
    until(lambda: figures().get("acknowledged", 0) >= len(keys), 60, f"{len(keys)} symbols subscribed")
    stand.control("/tick", ms=tick_ms)
    time.sleep(SETTLE_S)
    delays: list[float] = []
    began, cpu, sent, before = time.monotonic(), sum(feed.cpu_times()[:2]), _sent(stand), figures()
    while time.monotonic() - began < MEASURE_S:
        time.sleep(1.0)
        delays += delays_ms(keys)
    took, spent = time.monotonic() - began, sum(feed.cpu_times()[:2]) - cpu
    # Whatever is on its way when we stop counting has arrived a moment later.
    stand.control("/tick", ms=0)
    sent = _sent(stand) - sent
    time.sleep(3.0)
    taken = figures()["ticks"] - before["ticks"]
    return {
        "ticks_per_s": taken / took,
        "core_percent": 100 * spent / took,
        "delay_p99_ms": p99(delays),
        "lost_percent": max(100 * (sent - taken) / sent, 0.0),
        "rss_mib": feed.memory_info().rss / MB,
    }


def _sent(stand: Stand) -> int:
    return int(stand.control("/state")["frames_sent"])


def ticks() -> list[Figure]:
    found: list[Figure] = []
    with a_stand(pinned=True) as stand:
        feed = stand.feed(FEED_CORE)
        until(lambda: figures().get("state") == "LIVE", 30, "the feed")
        for symbols in CURVE:
            keys = wanted_symbols(symbols)
            tick_ms = max(1000 * len(keys) / TICKS_A_SECOND, SHORTEST_TICK_MS)
            seen = measure_ticks(stand, feed, keys, tick_ms)
            is_full = tick_ms > SHORTEST_TICK_MS or symbols == 100
            name = f"{len(keys)} symbols"
            found += [
                Figure(NAME, f"{name}: ticks taken", round(seen["ticks_per_s"]), "1/s", 4_900 if is_full else None, "higher"),
                Figure(NAME, f"{name}: share of one core", round(seen["core_percent"], 1), "%", 100, "lower"),
                Figure(NAME, f"{name}: tick to store p99", round(seen["delay_p99_ms"], 1), "ms", 250, "lower"),
                Figure(NAME, f"{name}: ticks lost", round(seen["lost_percent"], 2), "%", 0.5, "lower"),
                Figure(NAME, f"{name}: resident memory", round(seen["rss_mib"]), "MiB", None, "lower"),
            ]
    return found


def chains() -> list[str]:
    """Chain topics of every weekly and monthly the sample has most of, so that the browsers do not all see one."""
    from algomirror.kernel import clock
    from marketdata import selectors

    found = []
    for symbol in ("NIFTY", "BANKNIFTY", "SENSEX"):
        found += [f"chain:{symbol}:{day.isoformat()}:{WIDTH}" for day in selectors.expiries(symbol, "OPT", clock.now())[1:3]]
    return found


@dataclass
class Seen:
    """Delays in ms of every quote at every browser, from the simulator's stamp, and of the stages of that way."""

    whole: list[float] = field(default_factory=list)
    to_feed: list[float] = field(default_factory=list)
    in_feed: list[float] = field(default_factory=list)
    to_browser: list[float] = field(default_factory=list)
    messages: int = 0

    def take(self, now_ms: float, at_ms: float, quotes: list[dict[str, Any]]) -> None:
        self.messages += 1
        for quote in quotes:
            self.whole.append(now_ms - quote["x"])
            self.to_feed.append(quote["t"] - quote["x"])
            self.in_feed.append(at_ms - quote["t"])
            self.to_browser.append(now_ms - at_ms)


async def browse(stand: Stand, cookie: str, topics: list[str], seconds: float) -> Seen:
    import aiohttp

    headers = {"Cookie": f"sessionid={cookie}", "Origin": f"http://127.0.0.1:{stand.web_port}"}
    seen = Seen()

    async def one(session: aiohttp.ClientSession, topic: str, warm_until: float) -> None:
        async with session.ws_connect(f"http://127.0.0.1:{stand.web_port}/ws", headers=headers) as ws:
            await ws.send_json({"op": "subscribe", "topic": "market"})
            await ws.send_json({"op": "subscribe", "topic": topic})
            async for message in ws:
                now = time.time()
                if now > warm_until + seconds:
                    return
                body = orjson.loads(message.data)
                if now < warm_until or body["kind"] != "ticks" or body["topic"] != topic:
                    continue
                at = datetime.fromisoformat(body["at"]).timestamp()
                seen.take(now * 1000, at * 1000, [quote for quote in body["q"].values() if "x" in quote])

    async with aiohttp.ClientSession() as session:
        warm_until = time.time() + 15.0
        await asyncio.gather(*(one(session, topics[at % len(topics)], warm_until) for at in range(BROWSERS)))
    return seen


def signed_in(stand: Stand) -> str:
    from django.test import Client

    client = Client()
    client.force_login(stand.user)
    return client.cookies["sessionid"].value


def browsers() -> list[Figure]:
    with a_stand(pinned=False) as stand:
        feed = stand.feed()
        web = stand.start(
            sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(stand.web_port), "algomirror.asgi:application"
        )
        stand.control("/tick", ms=BROWSER_TICK_MS)
        until(lambda: listens(stand.web_port), 30, "the pages")
        until(lambda: figures().get("state") == "LIVE", 30, "the feed")
        processes = {"feed": feed, "daphne": psutil.Process(web.pid)}
        before = {name: sum(p.cpu_times()[:2]) for name, p in processes.items()}
        began = time.monotonic()
        seen = asyncio.run(browse(stand, signed_in(stand), chains(), LOOK_S))
        took = time.monotonic() - began
        shares = {name: 100 * (sum(p.cpu_times()[:2]) - before[name]) / took for name, p in processes.items()}
    name = f"{BROWSERS} browsers, 41 strikes each"
    stages = {"broker to feed": seen.to_feed, "within the feed": seen.in_feed, "feed to browser": seen.to_browser}
    return [
        Figure(NAME, f"{name}: tick to browser p99", round(p99(seen.whole), 1), "ms", 100, "lower"),
        Figure(NAME, f"{name}: tick to browser median", round(median(seen.whole), 1), "ms", None, "lower"),
        Figure(NAME, f"{name}: quotes delivered", round(len(seen.whole) / LOOK_S), "1/s", None, "higher"),
        Figure(NAME, f"{name}: messages delivered", round(seen.messages / LOOK_S), "1/s", None, "higher"),
        *(Figure(NAME, f"{name}: {of}, p99", round(p99(part), 1), "ms", None, "lower") for of, part in stages.items()),
        *(Figure(NAME, f"{name}: {of}, share of one core", round(share, 1), "%", None, "lower") for of, share in shares.items()),
    ]


def listens(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def memory(minutes: float) -> list[Figure]:
    """Growth of the feed's memory under full load, after it has settled."""
    with a_stand(pinned=True) as stand:
        feed = stand.feed(FEED_CORE)
        until(lambda: figures().get("state") == "LIVE", 30, "the feed")
        keys = wanted_symbols(1_000)
        view(stand, keys)
        until(lambda: figures().get("acknowledged", 0) >= len(keys), 60, "symbols subscribed")
        stand.control("/tick", ms=200)
        time.sleep(30.0)
        samples: list[float] = []
        end = time.monotonic() + minutes * 60
        while time.monotonic() < end:
            samples.append(feed.memory_info().rss / MB)
            time.sleep(1.0)
    third = max(len(samples) // 3, 1)
    grown = median(samples[-third:]) - median(samples[:third])
    name = f"memory over {minutes:g} min at 5,000 ticks/s"
    return [
        Figure(NAME, f"{name}: growth", round(grown, 1), "MiB", 8, "lower"),
        Figure(NAME, f"{name}: most", round(max(samples), 1), "MiB", None, "lower"),
    ]


def main(arguments: list[str]) -> int:
    minutes = next((float(text.partition("=")[2]) for text in arguments if text.startswith("--minutes=")), 1.0)
    minutes = 30.0 if "--soak" in arguments else minutes
    parts: dict[str, Callable[[], list[Figure]]] = {"ticks": ticks, "browsers": browsers, "memory": lambda: memory(minutes)}
    chosen = [name for name in arguments if name in parts]
    if len(chosen) == 1:
        # On a machine that others use the delays below are theirs too.
        load = Figure(NAME, f"{chosen[0]}: load of the machine before", round(os.getloadavg()[0], 1), "", None, "lower")
        return report([load, *parts[chosen[0]]()])
    # A process each: settings are read once.
    again = [text for text in arguments if text.startswith("--")]
    codes = [
        subprocess.run([sys.executable, "-m", "bench.feed", name, *again], cwd=ROOT, check=False).returncode for name in parts
    ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
