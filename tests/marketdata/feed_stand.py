"""A feed at work on two servers that can be hurt, and a judge who writes down every price it could have decided on.

All waits are shortened; the rules between them are the product's. Between a wait that acts and the bound it acts for lie
seconds, not tenths of them, so that a machine that stalls for a second does not decide a test.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from threading import Thread
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from django.test import override_settings

from accounts.models import Account
from algomirror.kernel import clock
from marketdata import quotes
from marketdata.domain.quotes import Freshness, Quote, Source, freshness
from marketdata.feed import asking, client, desk, ledger, watch
from marketdata.feed.failover import Pace
from marketdata.feed.runner import Runner, Times, Watch
from marketdata.reference.load import load
from simulator.clock import IST
from simulator.instruments import TUESDAY, compact, weekly_expiries
from tests.environment import free_ports
from tests.marketdata import cast
from tests.patience import PATIENCE_S, wait_for
from tests.simulator.conftest import ROOT, Simulator

NIFTY = "NSE_INDEX:NIFTY"
# Listed today, tomorrow and the week after, whatever day it is.
EXPIRY = weekly_expiries(datetime.now(IST).date(), TUESDAY)[2]
CALL, PUT = (f"NFO:NIFTY{compact(EXPIRY)}26000{kind}" for kind in ("CE", "PE"))
TICK_S = 0.1
# From the far side's own stamp to our receipt, on a busy machine: more would be a backlog that hides a price's true age.
MOST_TRANSIT_S = 2.0
SHORT = {
    "QUOTE_FRESH_STREAM_S": 4.0,
    "QUOTE_FRESH_REST_S": 5.0,
    "FEED_DARK_ALARM_S": 2.0,
    "READ_TIMEOUT_S": 1.0,
    "CONNECT_TIMEOUT_S": 1.0,
}
TIMES = Times(turn_s=0.15, ping_every_s=0.4, pong_within_s=2.0, pace=Pace(fail_back_s=1.5, failed_kept_s=4.0, spread_s=1.0))


@dataclass(frozen=True)
class Decision:
    at: float
    key: str
    quote: Quote
    age_s: float
    transit_s: float


@dataclass
class Judge:
    """Stands behind the fast guard, and sweeps the store: whatever is called fresh is decided on."""

    held: tuple[str, ...] = ()
    decisions: list[Decision] = field(default_factory=list)
    streamed: dict[str, list[float]] = field(default_factory=dict)
    blind_since: float | None = None
    blind_s: float = 0.0

    def on_quotes(self, batch: dict[str, Quote]) -> None:
        for key, quote in batch.items():
            if quote.source is Source.STREAM:
                self.streamed.setdefault(key, []).append(time.monotonic())
        now, bounds = clock.now(), quotes.bounds()
        held = {key: quote for key, quote in batch.items() if key in self.held}
        self._decide({key: quote for key, quote in held.items() if freshness(quote, now, bounds) is Freshness.FRESH}, now)

    def sweep(self) -> None:
        at = clock.now()
        fresh = quotes.fresh(self.held, at)
        self._decide(fresh, at)
        now = time.monotonic()
        if len(fresh) == len(self.held):
            self.blind_s += now - self.blind_since if self.blind_since is not None else 0.0
            self.blind_since = None
        elif self.blind_since is None:
            self.blind_since = now

    def _decide(self, fresh: dict[str, Quote], now: datetime) -> None:
        """The far side's own stamp is noted too, so that no copying and no backlog can make a price younger."""
        for key, quote in fresh.items():
            is_streamed = quote.source is Source.STREAM and quote.exchange_at is not None
            born = quote.exchange_at if is_streamed and quote.exchange_at is not None else quote.received_at
            transit_s = (quote.received_at - born).total_seconds()
            self.decisions.append(Decision(time.monotonic(), key, quote, quote.age_s(now), transit_s))

    def ticks_missed(self, key: str, since: float) -> int:
        times = [at for at in self.streamed.get(key, []) if at >= since - 1.0]
        gaps = [after - before for before, after in pairwise(times)]
        return sum(max(round(gap / TICK_S) - 1, 0) for gap in gaps)


judge = Judge()


def on_quotes(batch: dict[str, Quote]) -> None:
    judge.on_quotes(batch)


def open_symbols() -> set[str]:
    return set(judge.held)


HOOKS = {"fast_guard": f"{__name__}.on_quotes", "open_symbols": f"{__name__}.open_symbols"}


SERVER = ("--always-open", "--tick-ms", "100", "--no-limits")
HOSTS = (("--accounts", "1", "--seed", "7"), ("--accounts", "2", "--seed", "8"))


class Servers:
    """Two server processes, one for account 1 and one for accounts 2 and 3. What a test kills is started again."""

    def __init__(self) -> None:
        self.bases = [free_ports(5), free_ports(5)]
        self.up = [self._start(number) for number in (0, 1)]

    def _start(self, number: int) -> Simulator:
        command = [sys.executable, "-m", "simulator", "--port-base", str(self.bases[number]), *SERVER, *HOSTS[number]]
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"}
        )
        assert process.stdout is not None
        keys: list[str] = []
        for line in process.stdout:
            if line.startswith("account "):
                keys.append(line.split()[-1])
            if line == "simulator ready\n":
                break
        return Simulator(process, self.bases[number], keys)

    def ensure(self) -> None:
        """Both up, without faults."""
        for number in (0, 1):
            self.restart(number)
            heal(self.up[number])

    def restart(self, number: int) -> None:
        if self.up[number].process.poll() is not None:
            self.up[number] = self._start(number)

    def stop(self) -> None:
        for server in self.up:
            server.stop()


def heal(server: Simulator) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{server.base}/faults", method="DELETE")
    urllib.request.urlopen(request, timeout=PATIENCE_S)


@dataclass
class Stand:
    """Account 1 at `first`, accounts 2 and 3 at `second`; the runner in a thread of its own."""

    servers: Servers
    accounts: list[Account]
    runner: Runner
    hurt_at: float = 0.0
    noticed_s: float = 0.0

    @property
    def first(self) -> Simulator:
        return self.servers.up[0]

    @property
    def second(self) -> Simulator:
        return self.servers.up[1]

    @property
    def at_work(self) -> Watch:
        found = wait_for(lambda: self.runner.at_work, "the runner to be at work")
        assert found is not None
        return found

    @property
    def stream(self) -> client.Stream:
        found = self.at_work.desk.stream
        assert found is not None
        return found

    def control(self, path: str, *, of: Simulator | None = None, **fields: Any) -> Any:
        return cast.control((of or self.first).base, path, **fields)

    def until(self, true: Callable[[], Any], what: str) -> Any:
        def look() -> Any:
            judge.sweep()
            return true()

        return wait_for(look, what, every_s=0.02)

    def hurt(self, act: Callable[[], Any], noticed: Callable[[], Any], what: str) -> None:
        self.hurt_at = time.monotonic()
        act()
        self.until(noticed, what)
        self.noticed_s = time.monotonic() - self.hurt_at

    def fault(self, kind: str, **fields: Any) -> Callable[[], Any]:
        return lambda: self.control("/faults", kind=kind, **fields)

    def heal(self) -> None:
        heal(self.first)

    def ticks_after(self, key: str, moment: float, count: int = 3) -> bool:
        return sum(at > moment for at in list(judge.streamed.get(key, []))) >= count

    def streams_again(self, key: str) -> None:
        """The stream brings this symbol again after the fault was noticed."""
        moment = time.monotonic()
        self.until(lambda: self.ticks_after(key, moment), f"{key} streams again")

    def source_is(self, number: int) -> bool:
        source = self.at_work.source
        return source is not None and source.pk == self.accounts[number - 1].pk

    def report(self, fault: str, key: str, capsys: pytest.CaptureFixture[str]) -> None:
        """One line per fault, and the promise that holds in all of them."""
        recovered_s = time.monotonic() - self.hurt_at
        assert judge.decisions
        bounds = {Source.STREAM: settings.QUOTE_FRESH_STREAM_S, Source.REST: settings.QUOTE_FRESH_REST_S}
        late = [d for d in judge.decisions if d.age_s > bounds[d.quote.source]]
        assert not late, f"{len(late)} decisions on prices too old, the oldest {max(d.age_s for d in late):.2f} s"
        hidden = [d for d in judge.decisions if d.transit_s > MOST_TRANSIT_S]
        assert not hidden, f"{len(hidden)} prices waited up to {max(d.transit_s for d in hidden):.2f} s before we dated them"
        line = {
            "fault": fault,
            "noticed_s": round(self.noticed_s, 2),
            "recovered_s": round(recovered_s, 2),
            "ticks_missed": judge.ticks_missed(key, self.hurt_at),
            "blind_s": round(judge.blind_s, 2),
            "decisions": len(judge.decisions),
            "oldest_decision_s": round(max(d.age_s + d.transit_s for d in judge.decisions), 2),
        }
        with capsys.disabled():
            os.write(1, f"\n{json.dumps(line)}\n".encode())


@contextmanager
def at_work(servers: Servers, *held: str) -> Iterator[Stand]:
    """The feed at work with these symbols open."""
    global judge
    judge = Judge(held)
    load(actor="test", always_open_days=1)
    owner = cast.owner()
    servers.ensure()
    first, second = servers.up
    far = [(first, 0), (second, 0), (second, 1)]
    accounts = [
        cast.account(
            owner, name=f"Paper {at + 1}", rest=server.base + 2 * n + 1, stream=server.base + 2 * n + 2, key=server.keys[n],
            is_primary=at == 0, backup_rank=at,
        )
        for at, (server, n) in enumerate(far)
    ]  # fmt: skip
    runner = Runner(owner.pk, TIMES)
    with override_settings(HOOKS={**settings.HOOKS, **HOOKS}, **SHORT):
        thread = Thread(target=_run, args=(runner,), daemon=True)
        thread.start()
        stand = Stand(servers, accounts, runner)
        try:
            wait_for(lambda: runner.at_work is not None, "the runner to be at work")
            stand.until(lambda: all(stand.ticks_after(key, 0.0) for key in held), "first ticks")
            stand.until(lambda: quotes.fresh(held, clock.now()), "stored")
            judge.__dict__.update(blind_since=None, blind_s=0.0)
            yield stand
        finally:
            runner.stop()
            thread.join(PATIENCE_S)
            _wait_for_threads(runner)


def _run(runner: Runner) -> None:
    try:
        runner.run()
    finally:
        connections.close_all()


def _wait_for_threads(runner: Runner) -> None:
    if runner.at_work is None:
        return
    desk = runner.at_work.desk
    for worker in (desk.stream, desk.guards, desk.store, desk.asker, desk.candles, desk.chains):
        if worker is not None:
            worker.join(PATIENCE_S)


def shorten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(client, "WAITS_S", (0.2, 0.4))
    patch.setattr(client, "CONNECT_S", 1.6)
    patch.setattr(client, "PROVEN_AFTER_S", 1.0)
    patch.setattr(watch, "INDEX_SILENT_S", 1.0)
    patch.setattr(watch, "RECONNECT_AFTER_S", 3.0)
    patch.setattr(watch, "SYMBOL_SILENT_S", 0.8)
    patch.setattr(desk, "UNHEARD_S", 1.8)
    patch.setattr(ledger, "UNHEARD_AGAIN_S", 1.0)
    patch.setattr(asking, "EVERY_S", 0.2)
    patch.setattr(asking, "SULKS_S", 5.0)


def freeze(simulator: Simulator) -> None:
    """The host stops without a word: sockets stay open and nothing answers."""
    os.kill(simulator.process.pid, signal.SIGSTOP)


def thaw(simulator: Simulator) -> None:
    os.kill(simulator.process.pid, signal.SIGCONT)


def kill(simulator: Simulator) -> None:
    simulator.process.kill()
    simulator.process.wait(5)
