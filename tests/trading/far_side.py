"""The simulator's accounts behind the real gateway: what was asked on the wire, and what it made at the broker."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import RLock
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.db import connection
from django.test import override_settings

from accounts.gateway import directory, line
from accounts.gateway.connection import Broken, Heard
from accounts.gateway.openalgo import OpenAlgoGateway
from accounts.gateway.port import Gateway
from accounts.gateway.reports import NoReply
from accounts.models import Account, BrokerRead
from algomirror.kernel.clock import FrozenClock
from algomirror.ops.prepared import Prepared
from simulator.account import AccountServer
from simulator.broker import Broker
from simulator.rest.core import Outcome
from simulator.rest.dispatch import dispatch
from simulator.world import World
from tests.trading.points import Points
from trading.domain.orders import EXITS, OrderState, Purpose
from trading.models import Fill, Order, Position

_submitted = Prepared(
    lambda account, symbol, action, product, units: (
        Order.objects.filter(
            account_id=account, state=OrderState.SUBMITTED, symbol=symbol, action=action, product=product, units=units
        )
        .order_by("-sent_at", "-id")
        .values_list("pk", flat=True)
    )
)


@dataclass
class Sent:
    """One request to place an order: whose it was, what stood at the broker afterwards."""

    order_id: int | None
    account_id: int
    at: datetime
    body: dict[str, Any]
    really_at: datetime  # by a clock that nobody sets
    broker_ids: list[str] = field(default_factory=list)


class FarSide:
    """All simulated accounts and the two clocks, which move together."""

    def __init__(self, world: World, clock: FrozenClock) -> None:
        self.world, self.clock = world, clock
        self.points = Points()
        self.sent: list[Sent] = []
        self.calls: list[tuple[int, str]] = []
        self.broken: list[str] = []
        self.unreachable: set[int] = set()
        self.while_hanging: Callable[[], None] | None = None
        self.after_dispatch: Callable[[int, str], None] | None = None
        self.one_at_a_time = RLock()
        self.was_set: list[tuple[datetime, float]] = []  # this host's clock: when by itself, by how many seconds
        self.meddled: set[str] = set()  # orders of ours that somebody modified at the broker's terminal
        self._shown: dict[int, tuple[tuple[str, int], datetime]] = {}
        self._accounts: dict[int, int] = {}

    @contextmanager
    def behind_the_door(self, accounts: dict[int, int]) -> Iterator[FarSide]:
        """`accounts`: account row id → index of the simulated account, from 1."""
        self._accounts = dict(accounts)
        # Side by side they would leave this thread, whose transaction we watch.
        with override_settings(WIRE_THREADS=1), directory.far_side(self._gateway):
            yield self

    def _gateway(self, account: Account) -> Gateway:
        # One that is no account yet is an address that is tried: the first one's.
        pk = account.pk or min(self._accounts)
        return OpenAlgoGateway.of(account, transport=_Server(self, pk, self._accounts[pk]))

    def server(self, account_id: int) -> AccountServer:
        return self.world.accounts[self._accounts[account_id] - 1]

    def brokers(self, account_id: int) -> list[Broker]:
        server = self.server(account_id)
        return [server.paper, server.real]

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.world.clock.advance(seconds)

    def real(self, at: datetime) -> datetime:
        """What `at` by this host's clock was by one that nobody sets; where it was set back the latest that it may be."""
        return at - timedelta(
            seconds=sum(seconds for when, seconds in self.was_set if seconds < 0 or when + timedelta(seconds=seconds) <= at)
        )

    def show(self, account_id: int) -> None:
        """The positions were shown whole, by a broker of whom nothing is hidden."""
        books, now = self._books(account_id), self.clock.now()
        known, since = self._shown.get(account_id, (None, now))
        self._shown[account_id] = (books, since if known == books else now)

    def shown_since(self, account_id: int) -> datetime | None:
        """Since when all that there is has been shown; None where it was not, or where times cannot be compared."""
        known, since = self._shown.get(account_id, (None, None))
        return since if known == self._books(account_id) and not self.was_set else None

    def _books(self, account_id: int) -> tuple[str, int]:
        """Another as soon as anything moves there."""
        server = self.server(account_id)
        return server.profile, server.broker.version

    def broker_ids(self, account_id: int) -> set[str]:
        return {orderid for broker in self.brokers(account_id) for orderid in broker.orders}


class _Server:
    """One account's server, in the place of the line to it. Time-outs take their time on both clocks."""

    def __init__(self, side: FarSide, account_id: int, index: int) -> None:
        self.side, self.account_id, self.index = side, account_id, index

    def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> Heard | NoReply:
        side, where = self.side, urlsplit(target)
        endpoint = where.path.rsplit("/", 1)[-1]
        side.points.pass_by(f"wire before {endpoint}")
        self._nothing_uncommitted(endpoint)
        if self.account_id in side.unreachable:
            return line.unreached(OSError("nobody there"))
        side.calls.append((self.account_id, endpoint))
        sent = self._sending(json.loads(body)) if endpoint == "placeorder" else None
        with side.one_at_a_time:
            before = side.broker_ids(self.account_id)
            account = side.world.accounts[self.index - 1]
            outcome = dispatch(account, method, where.path, headers.get("content-type"), body, dict(parse_qsl(where.query)))
            if sent is not None:
                sent.broker_ids = sorted(side.broker_ids(self.account_id) - before)
        if endpoint == "positionbook" and side.world.faults.quiet and outcome.transport == "ok" and outcome.status == 200:
            side.show(self.account_id)
        if side.after_dispatch is not None:
            side.after_dispatch(self.account_id, endpoint)
        side.points.pass_by(f"wire after {endpoint}")
        return self._carry_out(outcome, timeout_s)

    def close(self) -> None:
        """Nothing is kept."""

    def _carry_out(self, outcome: Outcome, limit: float) -> Heard | NoReply:
        side = self.side
        if outcome.transport == "hang" or outcome.delay_s > limit:
            side.advance(limit / 2)
            if side.while_hanging is not None:
                hanging, side.while_hanging = side.while_hanging, None
                hanging()
            side.advance(limit / 2)
            return line.broken(TimeoutError())
        if outcome.delay_s:
            side.advance(outcome.delay_s)
        if outcome.transport == "drop":
            return line.broken(Broken())
        return Heard(outcome.status, outcome.content_type, "", outcome.payload)

    def _sending(self, body: dict[str, Any]) -> Sent:
        shape = (body["symbol"], body["action"], body["product"], int(body["quantity"]))
        order_id = _submitted.first(self.account_id, *shape)
        if order_id is None:
            self.side.broken.append(f"an order left without a committed row: {body['action']} {body['symbol']}")
        if order_id is not None and (since := self.side.shown_since(self.account_id)):
            self._only_what_is_there(order_id, shape, since)
        sent = Sent(order_id, self.account_id, self.side.clock.now(), body, self.side.world.clock.now())
        self.side.sent.append(sent)
        return sent

    def _only_what_is_there(self, order_id: int, shape: tuple[str, str, str, int], since: datetime) -> None:
        """An exit takes no more of its book's than the broker shows of all our books', once we have read that."""
        symbol, action, product, units = shape
        order = Order.objects.only("purpose", "book_id").get(pk=order_id)
        here = {"account_id": self.account_id, "symbol": symbol}
        if Purpose(order.purpose) not in EXITS:
            return
        owned = dict(Position.objects.filter(book__account_id=self.account_id, symbol=symbol).values_list("book_id", "units"))
        direction = 1 if action == "SELL" else -1
        held = self.side.server(self.account_id).broker.position_quantity("NFO", symbol, product)
        lacking = direction * (sum(owned.values()) - held)
        if lacking <= 0 or units <= direction * owned.get(order.book_id, 0) - lacking:
            return
        is_read = BrokerRead.objects.filter(account_id=self.account_id, kind="POSITIONS", error="", started_at__gt=since).exists()
        has_news = Fill.objects.filter(**here, first_seen_at__gte=since).exists()
        has_news = has_news or Order.objects.filter(**here, finished_at__gte=since).exists()
        if is_read and not has_news:
            self.side.broken.append(f"{action} {units} {symbol} to leave, of {owned} the broker has shown {held} since {since}")

    def _nothing_uncommitted(self, endpoint: str) -> None:
        own = [block for block in connection.atomic_blocks if not getattr(block, "_from_testcase", False)]
        if own:
            self.side.broken.append(f"{endpoint} was called inside a transaction")
