"""The positions page: per account and instrument what our books own, what the broker shows, and what it is worth now."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from django.db.models import Q

from accounts.models import Account, BrokerRead
from algomirror.kernel import clock
from marketdata import quotes as store
from marketdata.domain.quotes import Bounds, Quote
from marketdata.models import Instrument as Contract
from trading.domain.orders import Purpose
from trading.domain.pnl import Pnl, book_pnl, run_pnl
from trading.models import Book, ExitGoal, Order, Position
from trading.pages.compare import Compared, Place, Verdict, compared
from trading.pages.tags import Owner, ReadState, Tag, active_accounts, owner_of, read_states, tag_of

# A tab watches at most this many symbols at once (marketdata.viewing).
WATCHED_AT_MOST = 100
ROWS_IN_FULL = 200
_ID = r"[1-9][0-9]{0,17}"
# What may be closed with one click.
TARGET = rf"(position|book|account):{_ID}|leg:{_ID}:[1-9][0-9]{{0,2}}|everything"
LOOKS = {
    Verdict.AGREES: "idle",
    Verdict.OUTSIDE: "idle",
    Verdict.CATCHING_UP: "moving",
    Verdict.DIFFERS: "bad",
    Verdict.NOT_READ: "doubt",
}


@dataclass(frozen=True, slots=True)
class Wish:
    account: int | None = None
    run: int | None = None


@dataclass(frozen=True, slots=True)
class Holder:
    """One book's part of an instrument."""

    position_id: int
    book_id: int
    book_state: str
    frozen_why: str
    owner: Owner
    tag: Tag
    symbol: str
    product: str
    units: int
    average: Decimal | None
    pnl: Pnl
    key: str
    goal: str
    covers: tuple[int, ...]

    @property
    def target(self) -> str:
        return f"position:{self.position_id}"

    @property
    def can_close(self) -> bool:
        """A hedge waits for the shorts it covers; what is already on its way out needs no second wish."""
        return bool(self.units) and not self.covers and not self.goal

    @property
    def effect(self) -> str:
        side = "Sells" if self.units > 0 else "Buys back"
        return f"{side} {abs(self.units)} {self.symbol} {self.product} of {self.owner.text} in {self.tag.name} ({self.tag.mode})."


@dataclass(frozen=True, slots=True)
class Row:
    exchange: str
    symbol: str
    product: str
    lot: int
    quote: Quote | None
    received_ms: int | None
    holders: tuple[Holder, ...]
    compared: Compared
    pnl: Pnl

    @property
    def key(self) -> str:
        return f"{self.exchange}:{self.symbol}"

    @property
    def average(self) -> Decimal | None:
        """Of our books together while they point one way; else of what the broker shows, if all is outside."""
        if self.holders:
            averages = {holder.average for holder in self.holders if holder.units}
            return averages.pop() if len(averages) == 1 else None
        return self.compared.broker.average if self.compared.broker else None

    @property
    def last(self) -> Decimal | None:
        return None if self.quote is None else self.quote.last_price

    @property
    def is_ours(self) -> bool:
        return bool(self.holders)

    @property
    def only_holder(self) -> Holder | None:
        return self.holders[0] if len(self.holders) == 1 else None

    @property
    def look(self) -> str:
        return LOOKS[self.compared.verdict]


@dataclass(frozen=True, slots=True)
class BookLine:
    """One book with something open, and what closing all of it would do."""

    book_id: int
    owner: Owner
    state: str
    frozen_why: str
    goal: str
    open_legs: int
    effect: str

    @property
    def target(self) -> str:
        return f"book:{self.book_id}"


@dataclass(frozen=True, slots=True)
class Panel:
    read: ReadState
    rows: list[Row]
    books: list[BookLine]
    pnl: Pnl
    # Its rows are shown by a click: a page of five hundred positions answers no question at a glance.
    is_folded: bool = False

    @property
    def target(self) -> str:
        return f"account:{self.read.tag.account_id}"

    @property
    def effect(self) -> str:
        legs = sum(book.open_legs for book in self.books)
        where = f"{self.read.tag.name} ({self.read.tag.mode})"
        return f"Closes all {legs} open legs of {len(self.books)} books in {where}, shorts first."

    @property
    def may_close_all(self) -> bool:
        """More than one book is open here, and not all of them are on their way out."""
        return len(self.books) > 1 and any(not book.goal for book in self.books)


@dataclass(frozen=True, slots=True)
class PositionsPage:
    panels: list[Panel]
    pnl: Pnl
    failed: list[ReadState]
    differing: int
    watched: str
    is_open: bool

    @property
    def everything(self) -> str:
        """The sentence of closing all of it; empty when a single account holds anything, which has a button of its own."""
        open_panels = [panel for panel in self.panels if panel.books]
        if len(open_panels) < 2:
            return ""
        legs = sum(book.open_legs for panel in open_panels for book in panel.books)
        names = ", ".join(f"{panel.read.tag.name} ({panel.read.tag.mode})" for panel in open_panels)
        return f"Closes all {legs} open legs in {names}, shorts first. What is outside stays."

    @property
    def pnl_note(self) -> str:
        """Why the total is unknown, and what could be marked of it."""
        if self.pnl.unrealised is not None:
            return "marks complete"
        return f"no fresh price for {', '.join(key.partition(':')[2] for key in self.pnl.missing[:3])}"


def positions_page(wish: Wish) -> PositionsPage:
    """Nine queries and one look at the quote store, whatever the number of positions."""
    accounts = [a for a in active_accounts() if wish.account is None or a.pk == wish.account]
    reads = read_states(accounts, BrokerRead.Kind.POSITIONS)
    against = compared(accounts)
    held = _held(accounts, wish)
    keys = sorted({p.key for p in held if p.units} | {f"{e}:{s}" for _, (e, s, _) in against})
    quotes, lots = store.get(keys), _lots(keys)
    now, bounds = clock.now(), store.bounds()
    holders = _holders(held, quotes, now, bounds)
    panels = [_panel(account, read, holders, against, quotes, lots, wish) for account, read in zip(accounts, reads, strict=True)]
    return PositionsPage(
        panels=panels if wish.account is not None else _folded(panels),
        pnl=run_pnl(panel.pnl for panel in panels),
        failed=[read for read in reads if read.error],
        differing=sum(one.verdict is Verdict.DIFFERS for one in against.values()),
        watched=",".join(sorted({p.key for p in held if p.units and p.key in lots})[:WATCHED_AT_MOST]),
        is_open=any(p.units for p in held),
    )


def _folded(panels: Iterable[Panel]) -> list[Panel]:
    """So many rows in full as a person looks through; where something differs they are always shown."""
    shown, found = 0, []
    for panel in panels:
        differs = any(row.compared.verdict is Verdict.DIFFERS for row in panel.rows)
        is_folded = shown + len(panel.rows) > ROWS_IN_FULL and not differs
        shown += 0 if is_folded else len(panel.rows)
        found.append(replace(panel, is_folded=is_folded))
    return found


def _held(accounts: Iterable[Account], wish: Wish) -> list[Position]:
    """Open positions, and closed legs of runs that are not over: their realised part belongs to what is shown."""
    unfinished = Q(book__kind=Book.Kind.RUN) & ~Q(book__state=Book.State.FLAT)
    found = Position.objects.filter(~Q(units=0) | unfinished, book__account__in=list(accounts))
    if wish.run is not None:
        found = found.filter(book__run_id=wish.run)
    return list(found.select_related("book__run", "book__account").order_by("symbol", "id"))


def _lots(keys: Iterable[str]) -> dict[str, int]:
    symbols = {key.partition(":")[2] for key in keys}
    return {
        f"{exchange}:{symbol}": lot
        for exchange, symbol, lot in Contract.objects.filter(symbol__in=symbols).values_list("exchange", "symbol", "lot_units")
    }


def _holders(held: Iterable[Position], quotes: Mapping[str, Quote], now: datetime, bounds: Bounds) -> dict[Place, list[Holder]]:
    held = list(held)
    book_ids = {p.book_id for p in held}
    goals = dict(ExitGoal.objects.filter(book__in=book_ids).exclude(state=ExitGoal.State.DONE).values_list("book_id", "state"))
    covers = _covers(held, book_ids)
    found: dict[Place, list[Holder]] = defaultdict(list)
    for p in held:
        found[p.book.account_id, (p.exchange, p.symbol, p.product)].append(
            Holder(
                position_id=p.pk,
                book_id=p.book_id,
                book_state=p.book.state,
                frozen_why=p.book.frozen_why,
                owner=owner_of(p.book),
                tag=tag_of(p.book.account),
                symbol=p.symbol,
                product=p.product,
                units=p.units,
                average=p.open_value / abs(p.units) if p.units else None,
                pnl=book_pnl([p], quotes, now, bounds),
                key=f"pos:{p.pk}:pnl",
                goal=goals.get(p.book_id, ""),
                covers=covers.get(p.pk, ()),
            )
        )
    return found


def _covers(held: Iterable[Position], book_ids: Iterable[int]) -> dict[int, tuple[int, ...]]:
    """Of each hedge the short legs that are still open behind it."""
    open_shorts = {(p.book_id, p.leg) for p in held if p.units < 0}
    hedges = Order.objects.filter(book__in=list(book_ids), purpose=Purpose.HEDGE, attempt=0).values_list(
        "book_id", "leg", "hedge_legs"
    )
    legs = {(book_id, leg): shorts for book_id, leg, shorts in hedges}
    return {
        p.pk: tuple(leg for leg in legs.get((p.book_id, p.leg), ()) if (p.book_id, leg) in open_shorts)
        for p in held
        if p.units > 0
    }


def _panel(
    account: Account,
    read: ReadState,
    holders: Mapping[Place, list[Holder]],
    against: Mapping[Place, Compared],
    quotes: Mapping[str, Quote],
    lots: Mapping[str, int],
    wish: Wish,
) -> Panel:
    places = {place for place in holders if place[0] == account.pk}
    if wish.run is None:
        places |= {place for place in against if place[0] == account.pk}
    rows = [_row(place, holders.get(place, []), against.get(place), quotes, lots) for place in sorted(places)]
    mine = [holder for row in rows for holder in row.holders]
    return Panel(read, rows, _book_lines(mine), run_pnl(holder.pnl for holder in mine))


def _row(
    place: Place,
    holders: list[Holder],
    against: Compared | None,
    quotes: Mapping[str, Quote],
    lots: Mapping[str, int],
) -> Row:
    exchange, symbol, product = place[1]
    quote = quotes.get(f"{exchange}:{symbol}")
    return Row(
        exchange=exchange,
        symbol=symbol,
        product=product,
        lot=lots.get(f"{exchange}:{symbol}", 0),
        quote=quote,
        received_ms=None if quote is None else int(quote.received_at.timestamp() * 1000),
        holders=tuple(holders),
        compared=against or Compared(0, None, Verdict.AGREES),
        pnl=run_pnl(holder.pnl for holder in holders),
    )


def _book_lines(holders: Iterable[Holder]) -> list[BookLine]:
    grouped: dict[int, list[Holder]] = defaultdict(list)
    for holder in holders:
        if holder.units:
            grouped[holder.book_id].append(holder)
    return [
        BookLine(
            book_id=book_id,
            owner=legs[0].owner,
            state=legs[0].book_state,
            frozen_why=legs[0].frozen_why,
            goal=legs[0].goal,
            open_legs=len(legs),
            effect=_whole(legs),
        )
        for book_id, legs in grouped.items()
    ]


def _whole(legs: list[Holder]) -> str:
    what = "the open leg" if len(legs) == 1 else f"all {len(legs)} open legs"
    return f"Closes {what} of {legs[0].owner.text} in {legs[0].tag.name} ({legs[0].tag.mode}), shorts first, then hedges."


@dataclass(frozen=True, slots=True)
class Closing:
    """What a page without scripts shows before a close: the target, its sentence, and whether it is real money."""

    target: str
    effect: str
    mode: str
    accounts: int = 1


def closing(target: str) -> Closing | None:
    """None when the target is not understood or holds nothing."""
    if not re.fullmatch(TARGET, target):
        return None
    kind, *numbers = target.split(":")
    found = Position.objects.exclude(units=0).select_related("book__run", "book__account")
    narrow = {
        "position": {"pk": numbers[:1]},
        "book": {"book_id": numbers[:1]},
        "account": {"book__account_id": numbers[:1]},
        "leg": {"book__run_id": numbers[:1], "leg": numbers[1:]},
        "everything": {},
    }[kind]
    held = list(found.filter(**{name: value[0] for name, value in narrow.items()}))
    if not held:
        return None
    holders = [h for group in _holders(held, {}, clock.now(), store.bounds()).values() for h in group]
    if kind == "position":
        effect = holders[0].effect
    elif kind == "book":
        effect = _book_lines(holders)[0].effect
    else:
        effect = _many(holders, f"leg {numbers[1]} of {holders[0].owner.text}" if kind == "leg" else "every open leg")
    live = any(h.tag.mode == "LIVE" for h in holders)
    return Closing(target, effect, "LIVE" if live else "PAPER", len({h.tag.account_id for h in holders}))


def _many(holders: list[Holder], what: str) -> str:
    names = sorted({f"{h.tag.name} ({h.tag.mode})" for h in holders})
    return f"Closes {what} in {', '.join(names)}: {len(holders)} legs, shorts first, then hedges. What is outside stays."
