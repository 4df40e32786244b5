"""What goes on around a desk, beside what its traders and its broker's faults do: rules that the order machine has in some of
its histories only. Which of them is drawn at the beginning; most histories have none."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import time
from decimal import Decimal
from typing import ClassVar
from unittest.mock import patch

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from accounts import addresses
from accounts.models import Account
from accounts.services.account import as_it_is, edit_account
from algomirror.kernel.errors import Conflict, Refused
from simulator.orders import Order as BrokerSide
from simulator.orders import OrderRequest
from simulator.orders import Refused as BrokerRefused
from simulator.sessions import BOOKS_ROLL_AT
from tests.trading import hooks, night
from tests.trading.desk import LOT, NFO, PREMIUM, Desk
from tests.trading.near import NearRedis
from tests.trading.night import Night
from trading.models import Book

NAMES = sorted(PREMIUM)
Work = tuple[int, float]
# Passes of the engine, and the time between them.
WORK = st.tuples(st.integers(1, 5), st.sampled_from([0.1, 0.4, 1.1, 1.1, 4.0]))

# Seconds by which this host's clock is set.
AHEAD = [1.0, 3.0, 20.0, 120.0, 300.0]
BACK = [-1.0, -3.0, -20.0, -120.0]
NIGHTS = 2


@dataclass(frozen=True)
class World:
    """`kind` says which rules there are."""

    kind: str = ""
    rolls_at: time = BOOKS_ROLL_AT
    product: str = "NRML"


STRANGE = [
    World("clock"),
    World("clock"),
    World("night", time(0, 0)),
    World("night"),
    World("night", time(8, 30)),
    World("switch"),
    World("switch"),
    World("broker"),
    World("broker", product="MIS"),
    World("redis"),
]
WORLDS = [*[World()] * len(STRANGE), *STRANGE]

NIGHT = st.builds(
    Night,
    looks=st.frozensets(st.integers(0, night.MOMENTS - 1), max_size=4),
    asks=st.one_of(st.none(), st.integers(0, night.MOMENTS - 1)),
    ends_orders=st.booleans(),
    freeze=st.sampled_from([1800, 1800, LOT, 2 * LOT]),
)


class Worlds(RuleBasedStateMachine):
    desk: Desk
    stack: ExitStack
    redis: NearRedis
    books: list[Book]
    world = World()
    nights = keys = 0
    # Histories of one kind only ("" is a kind too).
    only: ClassVar[str | None] = os.environ.get("AM_WORLD")

    def enter(self, world: World) -> None:
        """Before anything is asked of the desk."""
        fitting = [one for one in WORLDS if self.only in (None, one.kind)]
        self.world = world = world if world in fitting else fitting[WORLDS.index(world) % len(fitting)]
        desk = self.desk
        desk.product = world.product
        for server in desk.world.accounts:
            server.options.books_roll_at = world.rolls_at
        if world.kind == "night":
            self.stack.enter_context(night.by_hours(desk))
        if world.kind == "switch":
            # What our first order there may be taken for: somebody's trades of this morning on the other side of the switch.
            self.desk.world.accounts[0].analyze ^= True
            for name in NAMES:
                for action in ("BUY", "SELL"):
                    desk.broker().place(OrderRequest(NFO, desk.symbols[name], action, LOT, "MARKET", "NRML", origin="terminal"))
            self.desk.world.accounts[0].analyze ^= True

    def work_on(self, go: Work) -> None:
        passes, dt = go
        for _ in range(passes):
            self.desk.step()
            self.desk.advance(dt)

    def calm(self) -> None:
        """Faults end, the line to Redis is there."""
        self.desk.calm()
        self.redis.is_away = False

    # The clock

    @precondition(lambda self: self.world.kind == "clock")
    @rule(seconds=st.sampled_from(AHEAD + BACK), is_new=st.booleans(), go=WORK)
    def clock_is_set(self, seconds: float, is_new: bool, go: Work) -> None:
        """Under our feet, or while we were away and came back."""
        self.desk.set_clock(seconds)
        if is_new:
            self.desk.begin_anew()
        self.work_on(go)

    # The night

    @precondition(lambda self: self.world.kind == "night" and self.nights < NIGHTS)
    @rule(passing=NIGHT, go=WORK)
    def a_night_passes(self, passing: Night, go: Work) -> None:
        self.nights += 1
        night.passes(self.desk, passing, lambda: [self.desk.exit(book) for book in self.books] and None)
        self.work_on(go)

    # Another server

    @precondition(lambda self: self.world.kind == "switch")
    @rule(is_calm=st.booleans(), go=WORK)
    def the_mode_is_switched(self, is_calm: bool, go: Work) -> None:
        """On the server, then here, as the page does it; where that is refused the server is switched back."""
        if is_calm:
            self.calm()
            for book in self.books:
                self.desk.exit(book)
            for _ in range(12):
                self.work_on((1, 1.0))
        server, row = self.desk.world.accounts[0], self.desk.accounts[0]
        server.analyze ^= True
        mode = Account.Mode.PAPER if server.analyze else Account.Mode.LIVE
        if not self._edit(mode=mode):
            # Nothing is sent meanwhile: what lies in a world that is not looked at any more is for a person.
            self.desk.poll()
            server.analyze ^= True
        # A person who switched to and fro releases what stood still meanwhile.
        hooks.halted.pop(row.pk, None)
        self.work_on(go)

    @precondition(lambda self: self.world.kind == "switch")
    @rule(is_key=st.booleans(), go=WORK)
    def the_door_is_changed(self, is_key: bool, go: Work) -> None:
        """Another key of the same server, or another name of it: at any time, whatever is open."""
        self.keys += 1
        server = self.desk.world.accounts[0]
        before = server.api_key
        if is_key:
            server.api_key = f"{self.keys:064d}"
        if not (self._edit(key=server.api_key) if is_key else self._edit(host_url=f"http://door{self.keys}.test")):
            server.api_key = before
        self.work_on(go)

    def _edit(self, **changed: str) -> bool:
        row = self.desk.accounts[0]
        row.refresh_from_db()
        try:
            with patch.object(addresses, "check_resolved", lambda url: ""):
                edit_account(row.owner, row.pk, replace(as_it_is(row), **changed), config_version=row.config_version)
        except (Refused, Conflict):
            return False
        row.refresh_from_db()
        return True

    # The broker, and whoever sits at its terminal

    @precondition(lambda self: self.world.kind == "broker")
    @rule(n=st.integers(0, 9), go=WORK)
    def the_broker_cancels(self, n: int, go: Work) -> None:
        if (order := self._working(n)) is not None:
            self._at_the_broker("cancel", order.orderid)
        self.work_on(go)

    @precondition(lambda self: self.world.kind == "broker")
    @rule(n=st.integers(0, 9), lots=st.integers(0, 4), rupees=st.sampled_from([0, 0, -3, 3]), go=WORK)
    def modified_at_the_terminal(self, n: int, lots: int, rupees: int, go: Work) -> None:
        """To so many lots (0: as many as they were), by so much dearer or cheaper."""
        if (order := self._working(n)) is not None:
            asked = replace(order.request, quantity=lots * LOT or order.quantity, price=order.price + Decimal(rupees))
            self.desk.side.meddled.add(order.orderid)
            self._at_the_broker("modify", order.orderid, asked)
        self.work_on(go)

    @precondition(lambda self: self.world.kind == "broker")
    @rule(action=st.sampled_from(["BUY", "SELL"]), name=st.sampled_from(NAMES), factor=st.sampled_from([0.97, 1.0, 1.03]))
    def somebody_s_order_rests(self, action: str, name: str, factor: float) -> None:
        self.desk.outside(action, name, 5 * LOT, price=round(PREMIUM[name] * factor / 0.05) * 0.05)

    @precondition(lambda self: self.world.kind == "broker" and self.world.product == "MIS")
    @rule(go=WORK)
    def the_broker_squares_off(self, go: Work) -> None:
        self.desk.broker().square_off(("MIS",))
        self.work_on(go)

    def _working(self, n: int) -> BrokerSide | None:
        working = [order for order in self.desk.placed() if order.orderid in self.desk.broker().working]
        return working[n % len(working)] if working else None

    def _at_the_broker(self, act: str, *what: object) -> None:
        with suppress(BrokerRefused):
            getattr(self.desk.broker(), act)(*what)

    # Redis

    @precondition(lambda self: self.world.kind == "redis")
    @rule(go=WORK)
    def redis_goes_away_or_comes_back(self, go: Work) -> None:
        self.redis.is_away ^= True
        self.work_on(go)
