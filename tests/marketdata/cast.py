"""What the tests of this room share: reference rows, a small contract list, quotes, and a server on real ports."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from accounts.crypto import fingerprint, seal
from accounts.models import Account, User
from algomirror.kernel import clock
from marketdata.domain.quotes import Quote, Source
from marketdata.domain.symbols import future_symbol, option_symbol
from marketdata.models import Instrument
from tests.patience import PATIENCE_S

FRIDAY = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)  # 10:30 IST, a trading day


def ist(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=clock.IST)


def quote(key: str = "NFO:X", price: str = "100", at: datetime = FRIDAY, source: Source = Source.STREAM, **more: Any) -> Quote:
    return Quote(key=key, last_price=Decimal(price), received_at=at, source=source, **more)


def list_options(
    underlying: str, expiry: date, strikes: Iterable[int], *, exchange: str = "NFO", lot: int = 65, future: bool = False
) -> None:
    rows = [
        Instrument(
            exchange=exchange,
            symbol=option_symbol(underlying, expiry, Decimal(strike), "CE" if kind == "CE" else "PE"),
            underlying=underlying,
            kind=kind,
            expiry=expiry,
            strike=Decimal(strike),
            lot_units=lot,
            tick=Decimal("0.05"),
            freeze_units=1800,
            listed_on=FRIDAY.date(),
        )
        for strike in strikes
        for kind in ("CE", "PE")
    ]
    if future:
        rows.append(
            Instrument(
                exchange=exchange,
                symbol=future_symbol(underlying, expiry),
                underlying=underlying,
                kind="FUT",
                expiry=expiry,
                lot_units=lot,
                tick=Decimal("0.05"),
                listed_on=FRIDAY.date(),
            )
        )
    Instrument.objects.bulk_create(rows)


def owner(username: str = "alice", role: str = "OWNER") -> User:
    return User.objects.create_user(username=username, email=f"{username}@example.in", password="Str0ng!pass", role=role)


def account(by: User, *, name: str = "Paper 1", rest: int = 1, stream: int = 1, key: str = "k" * 64, **more: Any) -> Account:
    fields: dict[str, Any] = {"mode": "PAPER", "is_primary": True, **more}
    return Account.objects.create(
        owner=by,
        name=name,
        host_url=f"http://127.0.0.1:{rest}",
        websocket_url=f"ws://127.0.0.1:{stream}",
        sealed_key=seal(key),
        key_fingerprint=fingerprint(key),
        **fields,
    )


def control(base: int, path: str, **fields: Any) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{base}{path}", json.dumps(fields).encode() if fields else None, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
        return json.load(reply)


def seconds(n: float) -> timedelta:
    return timedelta(seconds=n)


class Guards:
    """Stands where the risk room stands: what the feed shows the guards, and what it hears to be open."""

    def __init__(self) -> None:
        self.batches: list[dict[str, Quote]] = []
        self.open: set[str] = set()
        self.fails = False

    def on_quotes(self, batch: dict[str, Quote]) -> None:
        if self.fails:
            raise RuntimeError("a broken guard")
        self.batches.append(batch)

    def prices(self, key: str) -> list[Decimal]:
        return [batch[key].last_price for batch in list(self.batches) if key in batch]


guards = Guards()


def on_quotes(batch: dict[str, Quote]) -> None:
    guards.on_quotes(batch)


def open_symbols() -> set[str]:
    return set(guards.open)


HOOKS = {"fast_guard": "tests.marketdata.cast.on_quotes", "open_symbols": "tests.marketdata.cast.open_symbols"}
