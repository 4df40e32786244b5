"""Reading what an exit decides from: the book's own rows, and what the broker's last complete position read proves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from django.conf import settings
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from accounts.models import BrokerRead
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.kernel.money import Action, parse_quantity
from algomirror.ops.prepared import Prepared
from marketdata.models import Instrument as Listed
from trading.domain import exits
from trading.domain.exits import Instrument
from trading.domain.orders import UNACKNOWLEDGED, UNFINISHED, OrderState, Purpose
from trading.models import Book, ExitGoal, Fill, Order, Position

OF_INTEREST = [s.value for s in UNFINISHED | {OrderState.LAPSED}]
# Longer than anything follows its price: what ended before asks for nothing any more.
FOLLOWED_FOR = timedelta(hours=12)
ENDED = [OrderState.CANCELED, OrderState.REJECTED, OrderState.LAPSED, OrderState.FILLED]


_open = Prepared(lambda book: Position.objects.filter(book_id=book).exclude(units=0))
# What may still matter; which long covers which short; what this goal has sent so far. An exit that ended makes the next one
# of its instrument wait for fresh proof of what is left.
_of_interest = Prepared(
    lambda book, goal: Order.objects.filter(
        Q(state__in=OF_INTEREST) | Q(purpose=Purpose.HEDGE, attempt=0) | Q(goal=goal), book_id=book
    )
)
_unacknowledged_elsewhere = Prepared(
    lambda account, book: (
        Order.objects.filter(account_id=account, state__in=[s.value for s in UNACKNOWLEDGED])
        .exclude(book_id=book)
        .order_by()
        .values_list("exchange", "symbol", "product", "action")
    )
)
_last_read = Prepared(
    lambda account: BrokerRead.objects.filter(account_id=account, kind=BrokerRead.Kind.POSITIONS).values_list(
        "started_at", "rows"
    )
)

# Orders that ended, and what is left of them goes out again only on proof.
_that_follow = Prepared(
    lambda account, since: (
        Order.objects.filter(account_id=account, state=OrderState.CANCELED, follows_price=True, finished_at__gt=since)
        .order_by()
        .values_list("exchange", "symbol", "product")
        .distinct()
    )
)
_open_goals = Prepared(
    lambda account: (
        ExitGoal.objects.filter(book__account_id=account)
        .exclude(state=ExitGoal.State.DONE)
        .order_by()
        .values_list("pk", flat=True)
    )
)
_ended_of = Prepared(
    lambda goal: (
        Order.objects.filter(
            Exists(
                Position.objects.filter(
                    book=OuterRef("book"), exchange=OuterRef("exchange"), symbol=OuterRef("symbol"), product=OuterRef("product")
                ).exclude(units=0)
            ),
            goal_id=goal,
            state__in=ENDED,
        )
        .order_by()
        .values_list("exchange", "symbol", "product")
        .distinct()
    )
)


@cache
def _newest_of(symbols: int) -> Prepared[Order]:
    """The newest order of a book in each instrument of so many symbols."""

    def newest(book: Any, *names: Any) -> QuerySet[Order]:
        named = Order.objects.filter(book_id=book, symbol__in=names).order_by()
        return Order.objects.filter(pk__in=named.values("exchange", "symbol", "product").annotate(m=Max("pk")).values("m"))

    return Prepared(newest, slots=1 + symbols)


@cache
def _news_of(symbols: int) -> tuple[Prepared[Any], Prepared[Any]]:
    """When an order that was sent last ended, and when a fill was last seen, in each instrument of so many symbols."""

    def newest(rows: Any, field: str) -> Any:
        return rows.order_by().values_list("exchange", "symbol", "product").annotate(at=Max(field))

    def ended(account: Any, *names: Any) -> Any:
        # Those that have not ended have no time; left in, they keep SQLite on the index of symbols.
        sent = Order.objects.filter(account_id=account, symbol__in=names, sent_at__isnull=False)
        return newest(sent, "finished_at")

    def filled(account: Any, *names: Any) -> Any:
        return newest(Fill.objects.filter(account_id=account, symbol__in=names), "first_seen_at")

    return Prepared(ended, slots=1 + symbols), Prepared(filled, slots=1 + symbols)


@cache
def _freezes_of(symbols: int) -> Prepared[tuple[str, str, int]]:
    def listed(*names: Any) -> QuerySet[Any, Any]:
        rows = Listed.objects.filter(symbol__in=names, freeze_units__gt=0)
        return rows.order_by().values_list("exchange", "symbol", "freeze_units")

    return Prepared(listed, slots=symbols)


@cache
def _owned_of(symbols: int) -> Prepared[tuple[str, str, str, int, int]]:
    def owned(account: Any, *names: Any) -> QuerySet[Any, Any]:
        rows = Position.objects.filter(book__account_id=account, symbol__in=names)
        return rows.values_list("exchange", "symbol", "product", "book_id", "units")

    return Prepared(owned, slots=1 + symbols)


@dataclass(frozen=True, slots=True)
class Terms:
    lot_units: int
    tick: Decimal
    freeze_units: int | None


def facts(goal: ExitGoal, now: datetime) -> exits.Facts:
    """Everything the next pass is decided from, in a fixed number of queries."""
    book = goal.book
    positions = _open(book.pk)
    instruments = [_of(p) for p in positions]
    orders = _of_interest(book.pk, goal.pk)
    traded = _as_of_today(positions, _terms(book.pk, instruments))
    return exits.Facts(
        positions=[_position(p, traded[_of(p)]) for p in positions],
        orders=[_order(o) for o in orders if o.state in OF_INTEREST],
        targets=None if goal.targets is None else {_split(k): v for k, v in goal.targets.items()},
        hedges=covers(book, positions, [o for o in orders if o.purpose == Purpose.HEDGE and o.attempt == 0]),
        evidence=proofs(book.account_id, book.pk, instruments),
        needs_evidence=frozenset(_of(o) for o in orders if o.goal_id == goal.pk and o.state in ENDED),
        taken=frozenset(_taken(book)),
        now=now,
        repeg=timedelta(seconds=settings.REPEG_S),
    )


def covers(book: Book, positions: Sequence[Position], hedges: Iterable[Order]) -> dict[int, list[int]]:
    """Hedge leg → the short legs it covers. `hedges`: the first attempts of all that the book ever asked for.

    In a ticket book an instrument keeps, until it is flat, the leg of the ticket that brought it in; what later ones link to it
    counts for that leg too.
    """
    if book.kind == Book.Kind.RUN:
        return {hedge.leg: list(hedge.hedge_legs) for hedge in hedges}
    held = {_of(p): p.leg for p in positions if p.units}
    open_now = [(held[_of(hedge)], hedge) for hedge in hedges if held.get(_of(hedge), hedge.leg + 1) <= hedge.leg]
    shorts = {leg for _, hedge in open_now for leg in hedge.hedge_legs}
    asked = Order.objects.filter(book_id=book.pk, leg__in=shorts, attempt=0).order_by() if shorts else ()
    under = {short.leg: held[_of(short)] for short in asked if held.get(_of(short), short.leg + 1) <= short.leg}
    found: dict[int, set[int]] = {}
    for leg, hedge in open_now:
        found.setdefault(leg, set()).update(hedge.hedge_legs, (under[short] for short in hedge.hedge_legs if short in under))
    return {leg: sorted(shorts) for leg, shorts in found.items()}


def _of(row: Position | Order) -> Instrument:
    return (row.exchange, row.symbol, row.product)


def terms(book_id: int, instrument: Instrument) -> Terms:
    return _terms(book_id, [instrument])[instrument]


def _terms(book_id: int, instruments: Sequence[Instrument]) -> dict[Instrument, Terms]:
    """Lot, tick and freeze as the book's own orders carried them; exits copy the fill, not today's definition."""
    if not instruments:
        return {}
    symbols = {symbol for _, symbol, _ in instruments}
    found = {_of(o): Terms(o.lot_units, o.tick, o.freeze_units) for o in _newest_of(len(symbols))(book_id, *symbols)}
    if lacking := [
        f"{exchange}:{symbol}" for exchange, symbol, product in instruments if (exchange, symbol, product) not in found
    ]:
        raise Refused(f"book {book_id} never had an order in {', '.join(lacking)}")
    return found


def _as_of_today(positions: Sequence[Position], terms: dict[Instrument, Terms]) -> dict[Instrument, Terms]:
    """With the smaller of the quantities that one order could have then and can have today: the exchange rejects more than
    today's. Of what is no more than a lot it is not asked."""
    large = {p.symbol for p in positions if abs(p.units) > terms[_of(p)].lot_units}
    if not large:
        return terms
    today = {(exchange, symbol): freeze for exchange, symbol, freeze in _freezes_of(len(large))(*large)}

    def least(instrument: Instrument, known: Terms) -> Terms:
        found = [units for units in (known.freeze_units, today.get(instrument[:2])) if units is not None]
        return replace(known, freeze_units=min(found, default=None))

    return {instrument: least(instrument, known) for instrument, known in terms.items()}


def _taken(book: Book) -> Iterable[tuple[Instrument, Action]]:
    for exchange, symbol, product, action in _unacknowledged_elsewhere(book.account_id, book.pk):
        yield (exchange, symbol, product), "BUY" if action == "BUY" else "SELL"


def _split(key: str) -> Instrument:
    exchange, symbol, product = key.split(":")
    return (exchange, symbol, product)


def _position(p: Position, terms: Terms) -> exits.PositionView:
    cost = p.open_value / max(abs(p.units), 1)
    return exits.PositionView(_of(p), p.leg, p.units, terms.lot_units, terms.tick, terms.freeze_units, cost)


def _order(o: Order) -> exits.OrderView:
    action: Action = "BUY" if o.action == "BUY" else "SELL"
    return exits.OrderView(
        order_id=o.pk,
        purpose=Purpose(o.purpose),
        instrument=_of(o),
        action=action,
        state=OrderState(o.state),
        units=o.units,
        filled_units=o.filled_units,
        sent_at=o.sent_at,
        leg=o.leg,
        protected=o.protected,
    )


def proofs(account_id: int, book_id: int, instruments: Sequence[Instrument]) -> dict[Instrument, exits.Evidence]:
    """What the last complete position read says of the book's positions; an instrument is not named when that read is older
    than our last news of it."""
    if not instruments or (read := _read(account_id)) is None:
        return {}
    newest, owned = last_changes(account_id, instruments), _owned(account_id, instruments)
    out: dict[Instrument, exits.Evidence] = {}
    for instrument in instruments:
        if instrument in newest and read.started_at <= newest[instrument]:
            continue
        by_book = owned.get(instrument, {})
        mine = by_book.get(book_id, 0)
        direction = 1 if mine > 0 else -1
        lacking = direction * (sum(by_book.values()) - read.net(instrument))
        out[instrument] = exits.Evidence(
            missing=min(max(lacking, 0), abs(mine)),
            outside=max(-lacking, 0),
            sole_owner=all(pk == book_id for pk, units in by_book.items() if units),
        )
    return out


def agrees(account_id: int, instrument: Instrument, *, since: datetime | None = None) -> bool:
    """A complete position read, newer than our last news (and than `since`), shows exactly what our books own of this
    instrument."""
    read = _read(account_id)
    if read is None or (since is not None and read.started_at < since):
        return False
    newest = last_change(account_id, instrument)
    if newest is not None and read.started_at <= newest:
        return False
    return sum(_owned(account_id, [instrument]).get(instrument, {}).values()) == read.net(instrument)


def lacks_proof(account_id: int) -> bool:
    """Something ended since the last complete position read began, and what is left of it waits for a newer one."""
    ended = {instrument for goal in _open_goals(account_id) for instrument in _ended_of(goal)}
    instruments = list(ended.union(_that_follow(account_id, clock.now() - FOLLOWED_FOR)))
    if not instruments:
        return False
    read, newest = _read(account_id), last_changes(account_id, instruments)
    return any(instrument in newest and (read is None or read.started_at <= newest[instrument]) for instrument in instruments)


def last_change(account_id: int, instrument: Instrument) -> datetime | None:
    return last_changes(account_id, [instrument]).get(instrument)


def last_changes(account_id: int, instruments: Sequence[Instrument]) -> dict[Instrument, datetime]:
    """When we last had news of each: an order of ours that was sent ended, or a fill was first seen."""
    symbols = {symbol for _, symbol, _ in instruments}
    if not symbols:
        return {}
    ended, filled = (
        {(exchange, symbol, product): at for exchange, symbol, product, at in news(account_id, *symbols) if at is not None}
        for news in _news_of(len(symbols))
    )
    return {i: max(t for t in (ended.get(i), filled.get(i)) if t) for i in instruments if i in ended or i in filled}


def _owned(account_id: int, instruments: Sequence[Instrument]) -> dict[Instrument, dict[int, int]]:
    """Units by instrument and book."""
    symbols = {symbol for _, symbol, _ in instruments}
    out: dict[Instrument, dict[int, int]] = {}
    for exchange, symbol, product, book_id, units in _owned_of(len(symbols))(account_id, *symbols) if symbols else ():
        out.setdefault((exchange, symbol, product), {})[book_id] = units
    return out


@dataclass(frozen=True, slots=True)
class PositionRead:
    started_at: datetime
    rows: Sequence[dict[str, Any]]

    def net(self, instrument: Instrument) -> int:
        """Signed units the broker showed."""
        shown = (r for r in self.rows if (r["exchange"], r["symbol"], r["product"]) == instrument)
        return sum(parse_quantity(row["units"]) or 0 for row in shown)


def _read(account_id: int) -> PositionRead | None:
    """The last complete position read."""
    row = _last_read.first(account_id)
    return None if row is None or row[0] is None else PositionRead(row[0], row[1])


def agrees_again(book: Book) -> bool:
    """True on the second complete read in a row that shows everything this frozen book owns."""
    instruments = [_of(p) for p in Position.objects.filter(book=book).exclude(units=0)]
    found = proofs(book.account_id, book.pk, instruments)
    read = (
        BrokerRead.objects.filter(account_id=book.account_id, kind=BrokerRead.Kind.POSITIONS)
        .values_list("sequence", flat=True)
        .first()
    )
    if read is None or any(i not in found or found[i].missing for i in instruments):
        Book.objects.filter(pk=book.pk).update(agreed_read=None)
        return False
    if book.agreed_read is None:
        Book.objects.filter(pk=book.pk).update(agreed_read=read)
        return False
    return read > book.agreed_read
