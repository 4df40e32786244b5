"""The positions page: per account and instrument what our books own, what the broker shows, and what it is worth now."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from accounts.models import Account, BrokerRead
from algomirror.kernel import clock
from marketdata import quotes as store
from marketdata.domain.quotes import Quote
from marketdata.models import Instrument as Contract
from trading.domain.pnl import Pnl, run_pnl
from trading.models import Position
from trading.pages.compare import Compared, Place, Verdict, compared
from trading.pages.held import Holder, held_in, holders, rows_of
from trading.pages.tags import Owner, ReadState, active_accounts, read_states, tag_of

# A tab watches at most this many symbols at once (marketdata.viewing).
WATCHED_AT_MOST = 100
ROWS_IN_FULL = 100
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
    held = held_in(accounts, wish.run)
    keys = sorted({p.key for p in held if p.units} | {f"{e}:{s}" for _, (e, s, _) in against})
    quotes, lots = store.get(keys), _lots(keys)
    now, bounds = clock.now(), store.bounds()
    mine = holders(held, {read.tag.account_id: read.tag for read in reads}, quotes, now, bounds)
    theirs = _by_account(against) if wish.run is None else {}
    panels = [
        _panel(read, mine.get(read.tag.account_id, {}), theirs.get(read.tag.account_id, ()), against, quotes, lots)
        for read in reads
    ]
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


def _lots(keys: Iterable[str]) -> dict[str, int]:
    symbols = {key.partition(":")[2] for key in keys}
    return {
        f"{exchange}:{symbol}": lot
        for exchange, symbol, lot in Contract.objects.filter(symbol__in=symbols).values_list("exchange", "symbol", "lot_units")
    }


def _by_account(against: Iterable[Place]) -> dict[int, list[Place]]:
    found: dict[int, list[Place]] = defaultdict(list)
    for place in against:
        found[place[0]].append(place)
    return found


def _panel(
    read: ReadState,
    here: Mapping[Place, list[Holder]],
    theirs: Iterable[Place],
    against: Mapping[Place, Compared],
    quotes: Mapping[str, Quote],
    lots: Mapping[str, int],
) -> Panel:
    places = sorted({*here, *theirs})
    rows = [_row(place, here.get(place, []), against.get(place), quotes, lots) for place in places]
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
    found = Position.objects.exclude(units=0)
    narrow = {
        "position": {"pk": numbers[:1]},
        "book": {"book_id": numbers[:1]},
        "account": {"book__account_id": numbers[:1]},
        "leg": {"book__run_id": numbers[:1], "leg": numbers[1:]},
        "everything": {},
    }[kind]
    held = rows_of(found.filter(**{name: value[0] for name, value in narrow.items()}))
    if not held:
        return None
    tags = {account.pk: tag_of(account) for account in Account.objects.filter(pk__in={p.account_id for p in held})}
    here = holders(held, tags, {}, clock.now(), store.bounds())
    legs = [holder for account in here.values() for group in account.values() for holder in group]
    if kind == "position":
        effect = legs[0].effect
    elif kind == "book":
        effect = _book_lines(legs)[0].effect
    else:
        effect = _many(legs, f"leg {numbers[1]} of {legs[0].owner.text}" if kind == "leg" else "every open leg")
    live = any(leg.tag.mode == "LIVE" for leg in legs)
    return Closing(target, effect, "LIVE" if live else "PAPER", len({leg.tag.account_id for leg in legs}))


def _many(holders: list[Holder], what: str) -> str:
    names = sorted({f"{h.tag.name} ({h.tag.mode})" for h in holders})
    return f"Closes {what} in {', '.join(names)}: {len(holders)} legs, shorts first, then hedges. What is outside stays."
