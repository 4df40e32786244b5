"""An iron condor on N accounts, hedges first, in and out again; beside it the same orders by a thread pool with the SDK.

The floor of the entry is four broker calls one after another: place the hedges, read that they filled, place the shorts,
read that they filled. `python -m bench.fanout` runs 1, 10, 50 and 200 accounts, each in a process of its own.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that the file runs by its path too

import hashlib
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from bench.figure import Figure, report
from bench.fleet import SEED, Fleet, a_fleet

LATENCY_MS = 100
CURVE = (1, 10, 50, 200)
JUDGED = 50
# What is measured stands in the rows: asking more often would only take from the two cores what it measures.
WATCHED_S = 0.2
FLOOR_S = 4 * LATENCY_MS / 1000


def strategy(fleet: Fleet) -> Any:
    from accounts.models import Account, User
    from risk.domain.limits import LimitTerms
    from strategies.domain.drafts import Draft
    from strategies.domain.legs import LegSpec
    from strategies.services.build import save_strategy

    legs = (
        LegSpec(1, "NIFTY", "CE", "CURRENT_WEEK", "SELL", "OTM", 2, 1),
        LegSpec(2, "NIFTY", "PE", "CURRENT_WEEK", "SELL", "OTM", 2, 1),
        LegSpec(3, "NIFTY", "CE", "CURRENT_WEEK", "BUY", "OTM", 6, 1, (1,)),
        LegSpec(4, "NIFTY", "PE", "CURRENT_WEEK", "BUY", "OTM", 6, 1, (2,)),
    )
    ids = tuple(Account.objects.values_list("pk", flat=True))
    return save_strategy(User.objects.get(), Draft("Iron condor", "NRML", ids, legs, LimitTerms()))


def wait(ask: Any, seconds: float) -> None:
    ends = time.monotonic() + seconds
    while not ask():
        if time.monotonic() > ends:
            raise RuntimeError("took too long")
        time.sleep(WATCHED_S)


def seconds(until: datetime, since: datetime) -> float:
    return (until - since).total_seconds()


def ours(fleet: Fleet) -> tuple[float, float, float]:
    """(start to all filled and confirmed, goal committed to last exit on the wire, goal to all confirmed flat), seconds."""
    from django.db.models import Max

    from accounts.models import Account, User
    from strategies.services import preview, start
    from trading.models import Book, ExitGoal, Fill, Order
    from trading.services.flatten import request

    accounts = list(Account.objects.all())
    version = strategy(fleet)
    stand_by()
    plan = preview.preview(version, accounts, user=User.objects.get())
    run = start.start(plan.key, digest=plan.digest, idempotency_key="bench", by="bench")
    began = run.started_at
    wanted = 4 * fleet.accounts
    wait(lambda: Order.objects.filter(book__run=run, state="FILLED").count() == wanted, 120)
    entered = seconds(Fill.objects.filter(book__run=run).aggregate(at=Max("first_seen_at"))["at"], began)
    for book in Book.objects.filter(run=run):
        request(book.pk, reason="MANUAL", asked_by="bench")
    wait(lambda: ExitGoal.objects.filter(book__run=run, state="DONE").count() == fleet.accounts, 120)
    goals = ExitGoal.objects.filter(book__run=run)
    slowest = max(
        seconds(Order.objects.filter(goal=goal).aggregate(at=Max("sent_at"))["at"], goal.requested_at) for goal in goals
    )
    flat = max(seconds(goal.done_at, goal.requested_at) for goal in goals if goal.done_at)
    return entered, slowest, flat


def stand_by() -> None:
    """The pumps have read every account's books and one of them listens, as it is wherever the metronome runs."""
    from accounts.models import Account, BrokerRead
    from algomirror.ops import queue
    from trading.services import wake

    ids = list(Account.objects.values_list("pk", flat=True))
    wake.wake(ids)
    wait(lambda: BrokerRead.objects.filter(kind="ORDERS", sequence__gt=0).count() == len(ids), 60)
    wait(lambda: queue.client().exists(wake.STANDING), 30)


def _lines() -> list[dict[str, Any]]:
    """The entry of the first account, as it was sent."""
    from accounts.models import Account
    from trading.models import Order

    entry = Order.objects.filter(account=Account.objects.first(), purpose__in=["HEDGE", "ENTRY"]).order_by("id")
    return list(entry.values("symbol", "exchange", "action", "purpose", "units", "price", "product"))


def _as_sent(line: dict[str, Any]) -> dict[str, Any]:
    same = {name: line[name] for name in ("symbol", "exchange", "action", "product")}
    return same | {"quantity": line["units"], "price": float(line["price"])}


def _key(number: int) -> str:
    return hashlib.sha256(f"algomirror-sim:{SEED}:{number}".encode()).hexdigest()


def by_sdk(fleet: Fleet) -> float:
    """The same four orders on each account, hedges first, each confirmed by its order status; seconds."""
    from openalgo import api

    lines = _lines()

    def one(number: int) -> None:
        client = api(api_key=_key(number), host=f"http://127.0.0.1:{fleet.sim_port + 2 * number - 1}")
        for phase in ("HEDGE", "ENTRY"):
            placed = [
                client.placeorder(strategy="bench", price_type="LIMIT", **_as_sent(line))
                for line in lines
                if line["purpose"] == phase
            ]
            for answer in placed:
                while client.orderstatus(strategy="bench", order_id=answer["orderid"])["data"]["order_status"] != "complete":
                    time.sleep(0.1)

    began = time.monotonic()
    with ThreadPoolExecutor(fleet.accounts) as pool:
        list(pool.map(one, range(1, fleet.accounts + 1)))
    return time.monotonic() - began


def bare(fleet: Fleet) -> float:
    """The calls of our entry and nothing else, all accounts at once from one event loop: what the wire alone takes here."""
    import asyncio

    import aiohttp

    lines = _lines()

    async def one(client: aiohttp.ClientSession, number: int) -> None:
        host, key = f"http://127.0.0.1:{fleet.sim_port + 2 * number - 1}/api/v1/", _key(number)

        async def call(endpoint: str, **body: Any) -> None:
            async with client.post(host + endpoint, json={"apikey": key, **body}, raise_for_status=True) as answer:
                await answer.read()

        for phase in ("HEDGE", "ENTRY"):
            mine = [_as_sent(line) for line in lines if line["purpose"] == phase]
            await asyncio.gather(*(call("placeorder", strategy="bench", pricetype="LIMIT", **order) for order in mine))
            await asyncio.gather(call("orderbook"), call("tradebook"))

    async def everybody() -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
            await asyncio.gather(*(one(client, number) for number in range(1, fleet.accounts + 1)))

    began = time.monotonic()
    asyncio.run(everybody())
    return time.monotonic() - began


def pace() -> float:
    """What this machine takes for a million additions in the interpreter, the best of seven: the same kind of machine takes
    twice as long in one hour as in another, and whoever compares two runs wants to know which it was. Milliseconds."""
    took = []
    for _ in range(7):
        total, began = 0, time.perf_counter()
        for number in range(1_000_000):
            total += number
        took.append(time.perf_counter() - began)
    return round(min(took) * 1000, 1)


def measure(accounts: int) -> int:
    judged = accounts == JUDGED
    of_the_hour = pace()
    with a_fleet(accounts, latency_ms=LATENCY_MS) as fleet:
        entered, sent, flat = ours(fleet)
        sdk = by_sdk(fleet)
        # One event loop that opens 800 connections at once is reset by the far side.
        wire = bare(fleet) if accounts <= JUDGED else None
    n = f"{accounts} accounts"
    alone = []
    if wire is not None:
        alone = [
            Figure("fanout", f"its calls alone, no records kept, {n}", wire, "s", None, "lower"),
            Figure("fanout", f"entry over its calls alone, {n}", round(entered / wire, 2), "x", None, "lower"),
        ]
    return report(
        [
            Figure("fanout", "a million additions in the interpreter", of_the_hour, "ms", None, "lower"),
            *alone,
            Figure("fanout", f"entry floor, {n}", FLOOR_S, "s", None, "lower"),
            Figure("fanout", f"entry filled and confirmed, {n}", entered, "s", 1.5 * FLOOR_S if judged else None, "lower"),
            Figure("fanout", f"the same by thread pool and SDK, {n}", sdk, "s", None, "lower"),
            Figure("fanout", f"goal to last exit order on the wire, {n}", sent, "s", 0.5 if judged else None, "lower"),
            Figure("fanout", f"goal to confirmed flat, {n}", flat, "s", None, "lower"),
        ]
    )


def main(argv: list[str]) -> int:
    if argv:
        return measure(int(argv[0]))
    return max(subprocess.run([sys.executable, "-m", "bench.fanout", str(n)], check=False).returncode for n in CURVE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
