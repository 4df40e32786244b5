"""The cast: Alice owns, Bob may look, Charlie is nobody here. And makers of what they trade, through the real services."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from django.test import Client

from accounts.crypto import fingerprint, seal
from accounts.models import Account, BrokerRead, User
from algomirror.kernel import clock
from algomirror.ops import journal
from algomirror.ops.models import Journal
from marketdata import quotes as store
from marketdata.domain.quotes import Quote, Source
from marketdata.models import Candle1m, Instrument
from trading.domain.orders import LIVE_STATES, OrderState, Purpose
from trading.models import Book, BrokerOrder, Order, Position, Run
from trading.services import apply

# A Friday, in session: 10:41:07 in India.
FRIDAY = datetime(2026, 11, 20, 5, 11, 7, tzinfo=UTC)
CALL, PUT, HEDGE_CALL = "NIFTY24NOV2626000CE", "NIFTY24NOV2625800PE", "NIFTY24NOV2626300CE"
LOT = 65

_number = count(1)


def alice() -> User:
    """The owner."""
    return _user("alice", User.Role.OWNER)


def bob() -> User:
    """A viewer."""
    return _user("bob", User.Role.VIEWER)


def _user(name: str, role: str) -> User:
    found = User.objects.filter(username=name).first()
    if found is not None:
        return found
    user = User(username=name, email=f"{name}@example.com", role=role)
    user.set_unusable_password()
    user.save()
    return user


def signed_in(user: User | None) -> Client:
    """A browser of this person; None is Charlie, whom nobody knows."""
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


def account(name: str = "Zerodha Anil", **fields: Any) -> Account:
    """A paper account whose server does not answer, unless `host_url` says otherwise."""
    key = f"key-of-{name}-{next(_number)}"
    given = {
        "owner": alice(),
        "host_url": "http://127.0.0.1:9",
        "websocket_url": "ws://127.0.0.1:9",
        "mode": Account.Mode.PAPER,
        "link": Account.Link.UP,
        "last_good_at": clock.now(),
        "broker": "zerodha",
        **fields,
    }
    return Account.objects.create(name=name, sealed_key=seal(key), key_fingerprint=fingerprint(key), **given)


def run(name: str = "Iron condor", **fields: Any) -> Run:
    given = {"owner": alice(), "mode": "PAPER", "state": Run.State.OPEN, "started_at": clock.now(), **fields}
    return Run.objects.create(name=name, idempotency_key=f"run-{next(_number)}", **given)


def book(of: Account, on: Run | None = None, **fields: Any) -> Book:
    """The run's book on this account; without a run the account's ticket book."""
    kind = Book.Kind.TICKET if on is None else Book.Kind.RUN
    return Book.objects.create(kind=kind, run=on, account=of, mode=of.mode, opened_at=clock.now(), **fields)


def order(of: Book, *, state: str = "ACCEPTED", **fields: Any) -> Order:
    """An order row as it stands in this state; sent states carry a broker id and a permit. Fills come by `fill`."""
    number = next(_number)
    sent = OrderState(state) not in (OrderState.INITIALIZED, OrderState.DENIED)
    known = sent and OrderState(state) not in (OrderState.SUBMITTED, OrderState.UNKNOWN, OrderState.QUEUED, OrderState.LAPSED)
    given = {
        "client_order_id": f"x{number}-a{of.account_id}-l1-s0-n0",
        "purpose": Purpose.ENTRY,
        "leg": 1,
        "exchange": "NFO",
        "symbol": CALL,
        "product": "NRML",
        "action": "SELL",
        "units": LOT,
        "lot_units": LOT,
        "tick": Decimal("0.05"),
        "price_type": "LIMIT",
        "price": Decimal("104.25"),
        "decision_price": Decimal("105.00"),
        "permit": {"by": "cast"} if sent else None,
        "broker_order_id": f"24112000{number:06d}" if known else "",
        "sent_at": clock.now() if sent else None,
        "trading_day": clock.trading_day(),
        "created_at": clock.now(),
        **fields,
    }
    return Order.objects.create(book=of, account_id=of.account_id, state=state, **given)


def fill(of: Order, *, price: str, units: int | None = None) -> Position:
    """Units of this order proven traded, folded into its book's position by the one writer."""
    units = of.units - of.filled_units if units is None else units
    cumulative = of.filled_units + units
    apply.fill(of, of.broker_order_id, cumulative_units=cumulative, cumulative_value=of.filled_value + units * Decimal(price))
    state = OrderState.FILLED if cumulative >= of.units else OrderState.PARTIALLY_FILLED
    if OrderState(of.state) in LIVE_STATES and of.state != state:
        apply.move(of, state, why="trades seen")
    return Position.objects.get(book=of.book, exchange=of.exchange, symbol=of.symbol, product=of.product)


def position(of: Book, *, price: str = "104.00", **fields: Any) -> Position:
    """A position by one filled order."""
    return fill(order(of, state="ACCEPTED", **fields), price=price)


def outside_order(of: Account, *, word: str = "WORKING", **fields: Any) -> BrokerOrder:
    """A row of the broker's book that nobody here sent."""
    given = {
        "trading_day": clock.trading_day(),
        "broker_order_id": f"OUT{next(_number):06d}",
        "exchange": "NFO",
        "symbol": PUT,
        "action": "BUY",
        "product": "NRML",
        "price_type": "LIMIT",
        "units": LOT,
        "price": Decimal("80.00"),
        "word": word,
        "raw_status": word.lower(),
        "first_read": 1,
        "first_seen_at": clock.now(),
        "last_seen_at": clock.now(),
        **fields,
    }
    return BrokerOrder.objects.create(account=of, **given)


def read(of: Account, kind: str, rows: Any = (), *, error: str = "", ago_s: float = 1.0) -> BrokerRead:
    """A complete read that ended `ago_s` ago; with `error` a later attempt failed."""
    at = clock.now() - timedelta(seconds=ago_s)
    kept = list(rows) if isinstance(rows, (list, tuple)) else rows
    found, _ = BrokerRead.objects.update_or_create(
        account=of,
        kind=kind,
        defaults={"rows": kept, "sequence": 1, "started_at": at, "finished_at": at, "attempted_at": at, "error": error},
    )
    return found


def shown(symbol: str, units: int, *, exchange: str = "NFO", product: str = "NRML", average: str = "104.00") -> dict[str, Any]:
    """One row of a broker's position book, as it is kept."""
    return {
        "exchange": exchange,
        "symbol": symbol,
        "product": product,
        "units": units,
        "average_price": average,
        "last_price": None,
        "pnl": None,
    }


def listed(exchange: str, symbol: str, *, lot_units: int, tick: Decimal) -> Instrument:
    """A call of the contract list."""
    terms = {"underlying": "NIFTY", "kind": "CE", "lot_units": lot_units, "tick": tick, "listed_on": clock.today()}
    return Instrument.objects.create(exchange=exchange, symbol=symbol, **terms)


def quote(key: str, price: str, *, age_s: float = 0.5, prev_close: str | None = None) -> Quote:
    """A streamed price in the store."""
    made = Quote(
        key=key,
        last_price=Decimal(price),
        received_at=clock.now() - timedelta(seconds=age_s),
        source=Source.STREAM,
        prev_close=None if prev_close is None else Decimal(prev_close),
    )
    store.put([made])
    return made


def minute(key: str, when: datetime, price: str) -> None:
    """One minute that stood at one price."""
    value = Decimal(price)
    Candle1m.objects.create(key=key, minute=when, open=value, high=value, low=value, close=value, source="TICKS", covered_s=60)


def recorded(kind: str, **of: Any) -> Journal:
    """The row that `journal.record` wrote of it."""
    journal.record(kind, **of)
    return Journal.objects.latest("id")
