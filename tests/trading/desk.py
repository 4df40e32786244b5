"""One desk for tests: simulated accounts, two clocks that move together, real gateways and services, a real database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.test import override_settings

from accounts.crypto import seal
from accounts.gateway import limits
from accounts.gateway.port import Gateway
from accounts.models import Account, User
from algomirror.kernel import clock
from algomirror.kernel.clock import FrozenClock
from algomirror.kernel.ids import digest, new_key
from algomirror.kernel.money import Action
from algomirror.ops import queue
from algomirror.ops.models import Alarm
from algomirror.ops.steps import steps
from marketdata import quotes
from marketdata.domain.quotes import Quote, Source
from simulator.broker import Broker
from simulator.clock import SimClock
from simulator.orders import Order as BrokerSide
from simulator.orders import OrderRequest
from simulator.world import World
from tests.trading import hooks
from tests.trading.far_side import FarSide
from trading.domain.orders import Purpose
from trading.domain.prices import protected_limit, touch
from trading.models import Book, ExitGoal, Order, Position, Run
from trading.services import flatten, intents, poll, work
from trading.services.abreast import Calls
from trading.services.intents import EntryLine

T = TypeVar("T")
IST = ZoneInfo("Asia/Kolkata")
FRIDAY_TEN = datetime(2026, 11, 20, 10, 0, tzinfo=IST)
NFO = "NFO"
TICK = Decimal("0.05")
LOT = 65
PREMIUM = {"CE": 100.0, "PE": 90.0, "CEW": 20.0, "PEW": 15.0}

# The harness checks rules, not rates: budgets are proven in tests/accounts.
SETTINGS = {"HOOKS": hooks.NAMES, "READS_PER_SECOND": 20_000, "ORDERS_PER_SECOND": 20_000}


class Desk:
    """Names of instruments: CE and PE at the money, CEW and PEW further out. All prices stand still unless moved."""

    def __init__(self, profile: str = "sandbox", accounts: int = 1) -> None:
        self.clock = FrozenClock(FRIDAY_TEN)
        self.world = World(
            accounts,
            seed=7,
            profile=profile,
            clock=SimClock(FRIDAY_TEN, frozen=True),
            always_open=True,
            limits=None,
            strikes_each_side=2,
        )
        for server in self.world.accounts:
            server.options.capital = Decimal(10) ** 9  # margins are no matter of these tests
        self.side = FarSide(self.world, self.clock)
        self.symbols = _symbols(self.world)
        self.stale: set[str] = set()
        self.product, self.freeze = "NRML", 1800
        self.after_each_step: Callable[[Desk], None] | None = None
        for name, premium in PREMIUM.items():
            self.world.set_price(NFO, self.symbols[name], premium)
        owner = User.objects.create(username="alice", email="alice@example.test", role=User.Role.OWNER)
        mode = Account.Mode.PAPER if profile == "sandbox" else Account.Mode.LIVE
        self.owner = owner
        self.accounts = [_account(owner, n + 1, mode, self.world) for n in range(accounts)]
        self.quote()

    # Time and prices

    def now(self) -> datetime:
        return self.clock.now()

    def advance(self, seconds: float) -> None:
        """Let time pass; resting orders react and quotes are renewed (except the stale ones)."""
        self.side.advance(seconds)
        if self.world.market.is_open():
            self.world.match()
        self.quote()

    def set_clock(self, seconds: float) -> None:
        """Somebody sets this host's clock ahead, or back; the time that really passed, and the broker's clock, go on."""
        self.side.was_set.append((self.now(), seconds))
        self.clock.set(self.now() + timedelta(seconds=seconds))

    def begin_anew(self) -> None:
        """Another process, which has not looked at the clock yet."""
        steps.__init__()  # type: ignore[misc]

    def quote(self) -> None:
        now = self.clock.now()
        quotes.put([self._quote(symbol, now) for name, symbol in self.symbols.items() if name not in self.stale])

    def _quote(self, symbol: str, at: datetime) -> Quote:
        q = self.world.market.quote(NFO, symbol)
        assert q is not None
        return Quote(
            key=f"{NFO}:{symbol}",
            last_price=_d(q.ltp),
            received_at=at,
            source=Source.STREAM,
            bid=_d(q.bid),
            ask=_d(q.ask),
        )

    def price(self, name: str, rupees: float) -> None:
        self.world.set_price(NFO, self.symbols[name], rupees)
        self.world.match()
        self.quote()

    # Plans and exits

    def line(
        self,
        leg: int,
        action: Action,
        name: str,
        units: int = LOT,
        *,
        purpose: str = "ENTRY",
        hedge_legs: tuple[int, ...] = (),
        freeze: int | None = 1800,
        limit: str | None = None,
    ) -> EntryLine:
        """A protected line at the touch, or (with `limit`) a resting one at that price."""
        quote = self._quote(self.symbols[name], self.now())
        return EntryLine(
            leg=leg,
            purpose=purpose,
            exchange=NFO,
            symbol=self.symbols[name],
            product=self.product,
            action=action,
            units=units,
            lot_units=LOT,
            tick=TICK,
            freeze_units=freeze,
            price_type="LIMIT",
            price=protected_limit(touch(quote, action), action, TICK) if limit is None else Decimal(limit),
            trigger_price=Decimal(0),
            protected=limit is None,
            decision_price=quote.last_price,
            permit={"plan": "test"},
            hedge_legs=list(hedge_legs),
        )

    def open(self, *lines: EntryLine, account: int = 0, wait_s: float = 10.0, until_s: float | None = None) -> Book:
        """A run of one book with these lines, nothing sent yet."""
        row = self.accounts[account]
        run = Run.objects.create(
            owner=self.owner, name="test", mode=row.mode, state="ENTERING", started_at=self.now(), idempotency_key=new_key()
        )
        until = None if until_s is None else self.now() + timedelta(seconds=until_s)
        (book,) = intents.open_run_books(run=run, lines={row: lines}, hedge_wait_s=wait_s, entry_until=until, actor="test")
        return book

    def strangle(self, units: int = LOT, *, account: int = 0, **options: Any) -> Book:
        """Two shorts, each behind its own hedge: legs 1 and 2 cover 3 and 4."""
        return self.open(
            self.line(1, "BUY", "CEW", units, purpose="HEDGE", hedge_legs=(3,)),
            self.line(2, "BUY", "PEW", units, purpose="HEDGE", hedge_legs=(4,)),
            self.line(3, "SELL", "CE", units, hedge_legs=(1,)),
            self.line(4, "SELL", "PE", units, hedge_legs=(2,)),
            account=account,
            **options,
        )

    def exit(self, book: Book, *, reason: str = "MANUAL", targets: dict[str, int] | None = None) -> ExitGoal | None:
        return flatten.request(book.pk, reason=reason, asked_by="user:alice", targets=targets)

    def target(self, name: str, leave: int = 0) -> dict[str, int]:
        return {f"{NFO}:{self.symbols[name]}:{self.product}": leave}

    # Work

    def poll(self, account: int = 0) -> bool:
        return poll.account(self.accounts[account].pk)

    def step(self, account: int | None = None) -> bool:
        """One pass of the engine over one account, or over all."""
        rows = self.accounts if account is None else [self.accounts[account]]
        stepped = [work.step(row.pk) for row in rows]
        busy = any(stepped)
        if self.after_each_step is not None:
            self.after_each_step(self)
        return busy

    def run(self, seconds: float, *, dt: float = 0.5) -> bool:
        """Passes of the engine while time goes by; True when there is still something to do."""
        busy = True
        for _ in range(int(seconds / dt)):
            busy = self.step()
            self.advance(dt)
        return busy

    def settle(self, *, seconds: float = 60.0, dt: float = 0.5) -> bool:
        """Run until nothing moves; False when that did not happen in time."""
        for _ in range(int(seconds / dt)):
            if not self.step():
                return True
            self.advance(dt)
        return False

    def run_until(self, ready: Callable[[], bool], *, seconds: float = 60.0, dt: float = 0.5) -> None:
        for _ in range(int(seconds / dt)):
            if ready():
                return
            self.step()
            self.advance(dt)
        assert ready(), "it did not come to that in time"

    # The broker's side

    def broker(self, account: int = 0) -> Broker:
        return self.world.accounts[account].broker

    def fault(self, kind: str, **options: Any) -> None:
        self.world.faults.add(kind, **options)

    def calm(self) -> None:
        self.world.faults.clear()
        self.side.unreachable.clear()

    def outside(self, action: str, name: str, units: int, *, price: float | None = None, account: int = 0) -> str:
        """An order of somebody else at the same broker: at market, or resting at `price`."""
        request = OrderRequest(
            NFO,
            self.symbols[name],
            action,
            units,
            "MARKET" if price is None else "LIMIT",
            self.product,
            price=_d(price or 0),
            strategy="terminal",
            origin="terminal",
        )
        return self.broker(account).place(request)

    def net(self, name: str, account: int = 0) -> int:
        """What the broker truly holds."""
        return self.broker(account).position_quantity(NFO, self.symbols[name], self.product)

    def placed(self, name: str | None = None, *, action: str | None = None, account: int = 0) -> list[BrokerSide]:
        """The broker's orders that came over our wire, oldest first."""
        ids = {i for sent in self.side.sent for i in sent.broker_ids}
        found = [o for broker in self.side.brokers(self.accounts[account].pk) for o in broker.orders.values() if o.orderid in ids]
        wanted = None if name is None else self.symbols[name]
        return [o for o in found if wanted in (None, o.request.symbol) and action in (None, o.request.action)]

    # Rows

    def owned(self, book: Book, name: str) -> int:
        row = Position.objects.filter(book=book, symbol=self.symbols[name]).first()
        return 0 if row is None else row.units

    def orders(self, book: Book, *, exits: bool | None = None) -> list[Order]:
        purposes = [Purpose.EXIT, Purpose.UNWIND] if exits else [Purpose.ENTRY, Purpose.HEDGE]
        rows = Order.objects.filter(book=book).order_by("id")
        return list(rows if exits is None else rows.filter(purpose__in=purposes))

    def state(self, book: Book) -> str:
        return Book.objects.get(pk=book.pk).state

    def goal(self, book: Book) -> ExitGoal:
        return ExitGoal.objects.filter(book=book).latest("id")

    def alarms(self) -> set[str]:
        return set(Alarm.objects.values_list("kind", flat=True))


@contextmanager
def a_desk(profile: str = "sandbox", accounts: int = 1) -> Iterator[Desk]:
    with ExitStack() as stack:
        stack.enter_context(override_settings(**SETTINGS))
        hooks.reset()
        limits.forget()
        # Prices and counts of an earlier desk are younger than this one's morning.
        queue.client().flushdb()
        desk = Desk(profile, accounts)
        stack.enter_context(clock.use(desk.clock))
        doors = {row.pk: n + 1 for n, row in enumerate(desk.accounts)}
        stack.enter_context(desk.side.behind_the_door(doors))
        yield desk


@contextmanager
def asking_ahead() -> Iterator[None]:
    """The books are asked for when the last of some orders was answered, before that is written down, and the next poll takes
    what they said however old it is: what happens where calls go side by side, and worse."""

    def at_once(account_id: int, gateway: Gateway, *, positions: bool) -> None:
        asked = poll._Asked.of(gateway, positions=positions)
        said = [calls and Calls([partial(_same, answer) for answer in calls.all()]) for calls in (asked.books, asked.positions)]
        poll._begun[account_id] = replace(asked, books=said[0], positions=said[1])

    before = poll.ask_ahead, poll.AHEAD_S
    poll.ask_ahead, poll.AHEAD_S = at_once, 3_600.0
    try:
        yield
    finally:
        poll.ask_ahead, poll.AHEAD_S = before
        poll._begun.clear()


def _same(answer: T) -> T:
    return answer


def _symbols(world: World) -> dict[str, str]:
    options = [c for c in world.market.listing.contracts if c.name == "NIFTY" and c.is_option]
    nearest = min(c.expiry for c in options if c.expiry is not None)
    strikes = sorted({c.strike for c in options if c.expiry == nearest})
    middle, low, high = strikes[len(strikes) // 2], strikes[0], strikes[-1]
    wanted = {"CE": ("CE", middle), "PE": ("PE", middle), "CEW": ("CE", high), "PEW": ("PE", low)}
    by_terms = {(c.kind, c.strike): c.symbol for c in options if c.expiry == nearest}
    return {name: by_terms[terms] for name, terms in wanted.items()}


def _account(owner: User, index: int, mode: str, world: World) -> Account:
    key = world.accounts[index - 1].api_key
    return Account.objects.create(
        owner=owner,
        name=f"sim {index}",
        broker="simulator",
        host_url=f"http://sim{index}.test",
        websocket_url=f"ws://sim{index}.test",
        sealed_key=seal(key),
        key_fingerprint=digest(key),
        mode=mode,
        is_primary=index == 1,
        link=Account.Link.UP,
        orders_per_second=20_000,
    )


def _d(value: float | Decimal) -> Decimal:
    return Decimal(str(value))
