"""Random histories of commands, faults, crashes and second workers against the real services and a lying broker.

Quick and always the same in the normal suite; AM_SOAK=1 makes it long and new (see docs/PROOFS.md).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import ExitStack
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from algomirror.kernel.errors import Refused
from tests.properties.independent import run_histories
from tests.properties.profile import SOAK
from tests.trading import hooks, truth
from tests.trading.desk import LOT, PREMIUM, a_desk, asking_ahead
from tests.trading.near import redis_at_hand
from tests.trading.points import Crash, Points, die
from tests.trading.worlds import NAMES, WORK, WORLDS, Work, World, Worlds
from trading.models import Book, ExitGoal, Order
from trading.services import cancel, convert, modify

MOMENTS = st.integers(0, 90)
BOOKS = st.sampled_from(["orderbook", "tradebook", "positionbook"])

# The longest that an order is hidden, and that an account without work waits for its next read.
LATEST_S, IDLE_READ_S = 45.0, 60.0

# What goes wrong, and with which parameters.
FAULTS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "timeout_after_accept": {},
    "timeout_before_accept": {},
    "lost_reply": {},
    "drop_before": {"endpoint": st.sampled_from(["*", "placeorder", "cancelorder"])},
    "http_5xx": {"endpoint": st.sampled_from(["*", "placeorder"]), "accepted": st.booleans()},
    "broken_body": {"endpoint": st.sampled_from(["*", "placeorder", "orderbook"])},
    "refuse": {},
    "reject_later": {},
    "no_order_id": {"null": st.booleans()},
    "rate_limited": {"endpoint": st.sampled_from(["*", "placeorder"])},
    "late_visibility": {"seconds": st.sampled_from([1.0, 4.0, 8.0, LATEST_S])},
    "missing_trades": {"reads": st.integers(1, 4)},
    "partial_fill": {"seconds": st.sampled_from([None, 2.0])},
    "slow_fill": {"seconds": st.sampled_from([0.7, 2.0, 6.0])},
    "books_fail": {"book": BOOKS},
    "books_partial": {"book": BOOKS},
    "books_empty": {"book": BOOKS},
    "neighbour_status": {},
    "token_expired": {},
    "semi_auto_queue": {},
}
CHANGING = ["timeout_after_accept", "timeout_before_accept", "lost_reply", "refuse", "http_5xx", "rate_limited"]
SENDING = ["timeout_after_accept", "timeout_before_accept", "lost_reply", "no_order_id", "late_visibility"]
# What loses or bends an answer is drawn more often than what stops an account for good.
FAULTY = [*(set(FAULTS) - {"semi_auto_queue"}), *SENDING, "slow_fill", "slow_fill", "partial_fill"]
FAULTY.sort()
FINAL = ["DENIED", "FILLED", "CANCELED", "REJECTED", "LAPSED"]

KINDS = st.sampled_from(["strangle", "spread", "spread", "long", "short", "resting", "resting"])
ACTS = st.sampled_from(["crash", "second", "second later", "second hangs", "hanging"])


class OrderMachine(Worlds):
    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.redis = self.stack.enter_context(redis_at_hand())
        example = transaction.atomic()
        example._from_testcase = True  # type: ignore[attr-defined]
        self.stack.enter_context(example)
        self.stack.callback(transaction.set_rollback, True)
        self.books: list[Book] = []

    @initialize(
        profile=st.sampled_from(["sandbox", "live"]),
        kind=KINDS,
        lots=st.integers(1, 3),
        sliced=st.booleans(),
        ahead=st.booleans(),
        world=st.sampled_from(WORLDS),
    )
    def begin(self, profile: str, kind: str, lots: int, sliced: bool, ahead: bool, world: World) -> None:
        self.desk = self.stack.enter_context(a_desk(profile))
        self.enter(world)
        if ahead:
            self.stack.enter_context(asking_ahead())
        self.desk.poll()
        self._open(kind, lots, sliced)

    # Commands

    @precondition(lambda self: len(self.books) < 3)
    @rule(kind=KINDS, lots=st.integers(1, 3), sliced=st.booleans())
    def open(self, kind: str, lots: int, sliced: bool) -> None:
        self._open(kind, lots, sliced)

    def _open(self, kind: str, lots: int, sliced: bool) -> None:
        desk, units = self.desk, lots * LOT
        freeze = LOT if sliced else desk.freeze
        if kind == "strangle":
            book = desk.strangle(units, wait_s=8.0)
        elif kind == "spread":
            book = desk.open(
                desk.line(1, "BUY", "CEW", units, purpose="HEDGE", hedge_legs=(2,), freeze=freeze),
                desk.line(2, "SELL", "CE", units, hedge_legs=(1,), freeze=freeze),
                wait_s=8.0,
            )
        elif kind == "resting":
            book = desk.open(desk.line(1, "BUY", "CE", units, freeze=freeze, limit="97"), until_s=30)
        else:
            book = desk.open(desk.line(1, "BUY" if kind == "long" else "SELL", "CE", units, freeze=freeze))
        self.books.append(book)

    @rule(n=st.integers(0, 2), name=st.sampled_from([None, None, *NAMES]), leave=st.integers(0, 1), go=WORK)
    def exit(self, n: int, name: str | None, leave: int, go: Work) -> None:
        book = self.books[n % len(self.books)]
        self.desk.exit(book, targets=None if name is None else self.desk.target(name, leave * LOT))
        self.work_on(go)

    @rule(n=st.integers(0, 9), go=WORK)
    def cancel(self, n: int, go: Work) -> None:
        self.work_on(go)
        orders = list(Order.objects.exclude(state__in=FINAL).order_by("id").values_list("pk", flat=True))
        if orders:
            cancel.request(orders[n % len(orders)], asked_by="user:alice", why="by hand")

    @rule(
        n=st.integers(0, 9),
        terms=st.sampled_from(
            [{"units": LOT}, {"units": 3 * LOT}, {"price": "98"}, {"price": "104"}, {"units": 3 * LOT, "price": "99"}]
        ),
        fault=st.sampled_from([None, None, *CHANGING]),
        at=st.one_of(st.none(), st.integers(0, 14)),
        go=WORK,
    )
    def modify(self, n: int, terms: dict[str, Any], fault: str | None, at: int | None, go: Work) -> None:
        """Other terms for an order that works, with its answer lost or the process gone."""
        wanted = {name: Decimal(value) if name == "price" else value for name, value in terms.items()}
        self._asked_of(n, lambda pk: modify.request(pk, by="user:alice", **wanted), fault, at, "modifyorder")
        self.work_on(go)

    @rule(
        n=st.integers(0, 9), fault=st.sampled_from([None, None, *CHANGING]), at=st.one_of(st.none(), st.integers(0, 14)), go=WORK
    )
    def to_market(self, n: int, fault: str | None, at: int | None, go: Work) -> None:
        self._asked_of(n, lambda pk: convert.request(pk, by="user:alice"), fault, at, "cancelorder")
        self.work_on(go)

    def _asked_of(self, n: int, ask: Callable[[int], object], fault: str | None, at: int | None, endpoint: str) -> None:
        orders = list(
            Order.objects.filter(state__in=["ACCEPTED", "PARTIALLY_FILLED"], protected=False).values_list("pk", flat=True)
        )
        if not orders:
            return
        if fault is not None:
            self.desk.fault(fault, endpoint=endpoint)
        try:
            with self.desk.side.points.watch(die, at=-1 if at is None else at):
                ask(orders[n % len(orders)])
        except (Crash, Refused):
            pass

    # The engine, undisturbed and disturbed

    @rule(go=WORK)
    def work(self, go: Work) -> None:
        self.work_on(go)

    @rule(kind=st.sampled_from(FAULTY), count=st.integers(1, 3), data=st.data(), go=WORK)
    def work_with_a_fault(self, kind: str, count: int, data: st.DataObject, go: Work) -> None:
        options = {name: data.draw(values, label=name) for name, values in FAULTS[kind].items()}
        self.desk.fault(kind, count=count, **options)
        self.work_on(go)

    @rule(fault=st.sampled_from(SENDING), at=MOMENTS, act=ACTS, go=WORK)
    def lose_an_answer_and_disturb(self, fault: str, at: int, act: str, go: Work) -> None:
        self.desk.fault(fault, endpoint="placeorder")
        self._disturbed(act, at)
        self.work_on(go)

    @rule(at=MOMENTS, act=ACTS, go=WORK)
    def disturb(self, at: int, act: str, go: Work) -> None:
        self._disturbed(act, at)
        self.work_on(go)

    @rule(go=WORK)
    def work_without_a_server(self, go: Work) -> None:
        self.desk.side.unreachable.add(self.desk.accounts[0].pk)
        self.work_on(go)
        self.desk.side.unreachable.clear()

    def _disturbed(self, act: str, at: int) -> None:
        desk = self.desk
        if act == "hanging":
            desk.side.while_hanging = lambda: (desk.advance(1.0), desk.step(), None)[-1]
            desk.step()
            desk.side.while_hanging = None
            return
        acts = {"crash": die, "second": self._second, "second later": self._second_later, "second hangs": self._second_hangs}
        try:
            with desk.side.points.watch(acts[act], at=at):
                desk.step()
        except Crash:
            pass

    def _second(self) -> None:
        self.desk.step()

    def _second_later(self) -> None:
        self.desk.advance(0.6)
        self.desk.step()

    def _second_hangs(self) -> None:
        """It was on the wire when it stopped; its answer never reaches us."""
        mine, self.desk.side.points = self.desk.side.points, Points()
        try:
            with self.desk.side.points.watch(die, where=lambda name: name.startswith("wire") and "place" in name):
                self.desk.step()
        except Crash:
            pass
        finally:
            self.desk.side.points = mine

    # The world

    @rule(name=st.sampled_from(NAMES), factor=st.sampled_from([0.8, 0.97, 1.03, 1.3]))
    def price(self, name: str, factor: float) -> None:
        self.desk.price(name, round(PREMIUM[name] * factor / 0.05) * 0.05)

    @rule(name=st.sampled_from(NAMES))
    def a_price_goes_stale_or_comes_back(self, name: str) -> None:
        self.desk.stale ^= {name}
        self.desk.quote()

    @rule(action=st.sampled_from(["BUY", "SELL"]), name=st.sampled_from(NAMES))
    def outside(self, action: str, name: str) -> None:
        # Of a size none of ours has: what a lookalike does is a case of its own.
        self.desk.outside(action, name, 5 * LOT)

    @rule()
    def all_is_calm(self) -> None:
        self.calm()

    # What must hold

    @invariant()
    def nothing_is_a_lie(self) -> None:
        if hasattr(self, "desk"):
            assert truth.lies(self.desk) == []

    def teardown(self) -> None:
        try:
            if hasattr(self, "desk"):
                self.come_to_rest()
        finally:
            self.stack.close()

    def come_to_rest(self) -> None:
        """Faults end, everybody wants out: each book ends flat, or stands still with a person called."""
        desk = self.desk
        self.calm()
        hooks.halted.clear()  # a person looked and released the account
        desk.stale.clear()
        desk.quote()
        for book in self.books:
            desk.exit(book)
        self._until_they_rest()
        if truth.is_one_hidden(desk):
            # Whatever the broker has hidden is in its books by then, and read: it opens its closed book again.
            desk.advance(LATEST_S + IDLE_READ_S)
            self._until_they_rest()
        assert truth.lies(desk) == []
        assert truth.unsettled(desk) == []
        for book in self.books:
            state = desk.state(book)
            halted = desk.accounts[0].pk in hooks.halted
            if state not in (Book.State.FLAT, Book.State.FROZEN) and not halted:
                orders = [(str(o), o.state, o.units, o.filled_units, str(o.price)) for o in desk.orders(book)][-8:]
                raise AssertionError(f"{book} is {state}: {orders} {list(ExitGoal.objects.values())}")

    def _until_they_rest(self) -> None:
        desk = self.desk
        for _ in range(3):
            for n in range(100):
                if n > 3 and self._all_rest():
                    break
                desk.step()
                desk.advance(0.5 if n < 60 else 2.0)
            for _ in range(3):
                desk.step()
                desk.poll()
                desk.advance(2.0)
            # What was frozen because the broker did not show it goes on when it does.
            if self._all_rest():
                return

    def _all_rest(self) -> bool:
        return all(self.desk.state(book) in (Book.State.FLAT, Book.State.FROZEN) for book in self.books)


# Five hundred fixed histories in parts that run beside each other; the soak draws new ones, and longer.
PARTS = 1 if SOAK else 4
STEPS = 25 if SOAK else 8
SEED, FIRST = int(os.environ.get("AM_SEED", "0")), int(os.environ.get("AM_FIRST", "0"))
EACH = int(os.environ.get("AM_EXAMPLES", "20000")) if SOAK else 125


@pytest.mark.django_db
@pytest.mark.timeout(0 if SOAK else 800)
@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_the_broker_never_holds_what_the_books_cannot_explain(part: int) -> None:
    if part and connection.vendor == "postgresql" and not SOAK:
        pytest.skip("one part is enough on the second database")
    logging.disable(logging.ERROR)
    try:
        run_histories(OrderMachine, seed=SEED, first=FIRST + part * EACH, count=EACH, steps=STEPS)
    finally:
        logging.disable(logging.NOTSET)
