"""The reconcile page: what our books own against what the brokers show, and everything that waits for a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import QuerySet

from accounts.models import Account, BrokerRead
from algomirror.kernel import clock
from algomirror.ops.models import Journal
from marketdata.models import Instrument as Contract
from trading.domain.orders import OrderState
from trading.models import Book, BrokerOrder, Order, Position, Run
from trading.pages.compare import Compared, Place, Verdict, compared
from trading.pages.positions import LOOKS
from trading.pages.tags import Owner, ReadState, Tag, active_accounts, owner_of, read_states, tag_of
from trading.services.outside import LEFT

S = OrderState
DOUBTFUL = [S.UNKNOWN.value, S.QUEUED.value]
SHOWN_AT_MOST = 150
# Differences first: this is the order in which a person has to look.
FIRST = {v: n for n, v in enumerate((Verdict.DIFFERS, Verdict.NOT_READ, Verdict.CATCHING_UP, Verdict.OUTSIDE, Verdict.AGREES))}


@dataclass(frozen=True, slots=True)
class Wish:
    account: int | None = None
    differences: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One instrument of one account. `left` says who left it outside, while it is still as they saw it."""

    tag: Tag
    exchange: str
    symbol: str
    product: str
    lot: int
    owners: tuple[Owner, ...]
    compared: Compared
    as_of: datetime | None
    is_stale: bool
    left: str

    @property
    def look(self) -> str:
        return "idle" if self.left else LOOKS[self.compared.verdict]

    @property
    def name(self) -> str:
        return f"{self.tag.account_id}:{self.exchange}:{self.symbol}:{self.product}"

    @property
    def asks(self) -> bool:
        """A person may decide something here now."""
        return self.compared.verdict in (Verdict.DIFFERS, Verdict.OUTSIDE) and not self.is_stale


@dataclass(frozen=True, slots=True)
class Doubt:
    order: Order
    tag: Tag
    owner: Owner
    candidates: tuple[BrokerOrder, ...]

    @property
    def may_be_settled(self) -> bool:
        return self.order.state in (S.UNKNOWN, S.LAPSED)


@dataclass(frozen=True, slots=True)
class Frozen:
    book: Book
    tag: Tag
    owner: Owner
    positions: tuple[Position, ...]

    @property
    def thaws_by_itself(self) -> bool:
        return self.book.freeze_kind == "MISSING"


@dataclass(frozen=True, slots=True)
class ReconciliationPage:
    lines: list[Line]
    doubts: list[Doubt]
    frozen: list[Frozen]
    unowned: list[BrokerOrder]
    reads: list[ReadState]
    failed: list[ReadState]
    agreeing: int
    is_cut: bool

    @property
    def waiting(self) -> int:
        """How many things wait for a person."""
        differing = sum(line.compared.verdict is Verdict.DIFFERS for line in self.lines)
        return differing + len(self.frozen) + sum(one.order.state != S.LAPSED for one in self.doubts)


def reconciliation_page(wish: Wish) -> ReconciliationPage:
    """Fifteen queries at most, whatever the number of accounts and positions."""
    accounts = [a for a in active_accounts() if wish.account is None or a.pk == wish.account]
    reads = read_states(accounts, BrokerRead.Kind.POSITIONS)
    against = compared(accounts)
    lines = _lines(accounts, against, reads)
    shown = [line for line in lines if line.compared.verdict is not Verdict.AGREES or not wish.differences]
    return ReconciliationPage(
        lines=shown[:SHOWN_AT_MOST],
        doubts=_doubts(accounts),
        frozen=_frozen(accounts),
        unowned=list(_unowned(accounts).filter(trading_day=clock.trading_day())[:SHOWN_AT_MOST]),
        reads=reads,
        failed=[read for read in reads if read.error],
        agreeing=sum(line.compared.verdict is Verdict.AGREES for line in lines),
        is_cut=len(shown) > SHOWN_AT_MOST,
    )


def line_of(account: Account, exchange: str, symbol: str, product: str) -> Line | None:
    """One line alone; None when neither a book nor the broker holds it."""
    place = (account.pk, (exchange, symbol, product))
    against = {key: one for key, one in compared([account]).items() if key == place}
    reads = read_states([account], BrokerRead.Kind.POSITIONS)
    return next(iter(_lines([account], against, reads)), None)


def _lines(accounts: Iterable[Account], against: Mapping[Place, Compared], reads: Iterable[ReadState]) -> list[Line]:
    accounts = list(accounts)
    tags = {account.pk: tag_of(account) for account in accounts}
    read_of = {read.tag.account_id: read for read in reads}
    owners, lots, left = _owners(accounts), _lots(against), _left(accounts)
    lines = [
        Line(
            tag=tags[place[0]],
            exchange=place[1][0],
            symbol=place[1][1],
            product=place[1][2],
            lot=lots.get(place[1][:2], 0),
            owners=tuple(owners.get(place, ())),
            compared=one,
            as_of=read_of[place[0]].as_of,
            is_stale=bool(read_of[place[0]].error),
            left=_still_left(left.get(place), one),
        )
        for place, one in against.items()
    ]
    return sorted(lines, key=lambda line: (FIRST[line.compared.verdict], bool(line.left)))


def _owners(accounts: Iterable[Account]) -> dict[Place, list[Owner]]:
    held = Position.objects.exclude(units=0).filter(book__account__in=list(accounts)).select_related("book__run")
    found: dict[Place, list[Owner]] = defaultdict(list)
    for p in held.order_by("id"):
        found[p.book.account_id, (p.exchange, p.symbol, p.product)].append(owner_of(p.book))
    return found


def _lots(places: Iterable[Place]) -> dict[tuple[str, str], int]:
    symbols = {place[1][1] for place in places}
    rows = Contract.objects.filter(symbol__in=symbols).values_list("exchange", "symbol", "lot_units")
    return {(exchange, symbol): lot for exchange, symbol, lot in rows}


def _left(accounts: Iterable[Account]) -> dict[Place, Journal]:
    """The newest word of a person about each outside position."""
    rows = Journal.objects.filter(kind=LEFT, account_id__in=[a.pk for a in accounts]).order_by("id")
    found: dict[Place, Journal] = {}
    for row in rows:
        exchange, _, rest = row.subject.partition(":")
        symbol, _, product = rest.rpartition(":")
        if row.account_id is not None:
            found[row.account_id, (exchange, symbol, product)] = row
    return found


def _still_left(row: Journal | None, one: Compared) -> str:
    if row is None or one.verdict is not Verdict.OUTSIDE or row.numbers.get("units") != one.outside:
        return ""
    return f"left outside by {row.actor.removeprefix('user:')}"


def _doubts(accounts: Iterable[Account]) -> list[Doubt]:
    """Orders of which we cannot say what they are: unknown, queued, and lost ones of which nobody has spoken."""
    accounts = list(accounts)
    spoken = Journal.objects.filter(kind="order.never_sent", account_id__in=[a.pk for a in accounts]).values_list("order_id")
    found = Order.objects.filter(account__in=accounts, state__in=[*DOUBTFUL, S.LAPSED]).exclude(state=S.LAPSED, pk__in=spoken)
    orders = list(found.select_related("account", "book__run").order_by("-id")[:SHOWN_AT_MOST])
    free: dict[tuple[object, ...], list[BrokerOrder]] = defaultdict(list)
    if orders:
        for row in _unowned(accounts).filter(trading_day__in={order.trading_day for order in orders}):
            free[row.account_id, row.trading_day, row.exchange, row.symbol, row.product, row.action, row.units].append(row)
    return [
        Doubt(
            order=o,
            tag=tag_of(o.account),
            owner=owner_of(o.book),
            candidates=tuple(free.get((o.account_id, o.trading_day, o.exchange, o.symbol, o.product, o.action, o.units), ())),
        )
        for o in orders
    ]


def _unowned(accounts: Iterable[Account]) -> QuerySet[BrokerOrder]:
    return BrokerOrder.objects.filter(order=None, account__in=list(accounts)).select_related("account")


def _frozen(accounts: Iterable[Account]) -> list[Frozen]:
    books = list(
        Book.objects.filter(account__in=list(accounts), state=Book.State.FROZEN).select_related("account", "run").order_by("id")
    )
    held: dict[int, list[Position]] = defaultdict(list)
    for p in Position.objects.filter(book__in=books).exclude(units=0).order_by("leg"):
        held[p.book_id].append(p)
    return [Frozen(book, tag_of(book.account), owner_of(book), tuple(held[book.pk])) for book in books]


@dataclass(frozen=True, slots=True)
class Deciding:
    """What a person may decide about one line, and which books may take it on or give it up."""

    line: Line
    adopters: list[tuple[str, str]]
    holders: list[tuple[int, str]]
    price: Decimal | None

    @property
    def is_adoptable(self) -> bool:
        one = self.line.compared
        return bool(one.outside) and (not one.owned or ((one.outside or 0) > 0) == (one.owned > 0))

    @property
    def is_closable(self) -> bool:
        return bool(self.holders)

    @property
    def is_leavable(self) -> bool:
        return self.line.compared.verdict is Verdict.OUTSIDE and not self.line.left


def deciding(line: Line) -> Deciding:
    account_id = line.tag.account_id
    runs = Book.objects.filter(
        account_id=account_id, kind=Book.Kind.RUN, state__in=[Book.State.OPEN, Book.State.REDUCING]
    ).exclude(run__state=Run.State.CLOSED)
    adopters = [("", "The ticket book of this account"), *((str(b.pk), str(b.run)) for b in runs.select_related("run"))]
    held = Position.objects.filter(
        book__account_id=account_id, exchange=line.exchange, symbol=line.symbol, product=line.product
    ).exclude(units=0)
    # Whoever holds it the other way round than the difference may have lost it outside.
    gone = line.compared.outside or 0
    losers = held.filter(**{"units__lt" if gone > 0 else "units__gt": 0}) if gone else held.none()
    holders = [(p.book_id, f"{owner_of(p.book).text}: {p.units}") for p in losers.select_related("book__run").order_by("id")]
    shown = line.compared.broker
    return Deciding(line, adopters, holders, None if shown is None else shown.average)
