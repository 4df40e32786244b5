"""What our books hold, row by row: hundreds of positions as plain tuples, without a model instance each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db.models import Q, QuerySet

from accounts.models import Account
from marketdata.domain.quotes import Bounds, Quote
from trading.domain.orders import Purpose
from trading.domain.pnl import Pnl, book_pnl
from trading.models import Book, ExitGoal, Order, Position
from trading.pages.compare import Place
from trading.pages.tags import Owner, Tag, owner_named


class Held(NamedTuple):
    """A position with what its book and run say of it; in the order of `COLUMNS`."""

    pk: int
    exchange: str
    symbol: str
    product: str
    leg: int
    units: int
    open_value: Decimal
    realised: Decimal
    book_id: int
    account_id: int
    book_state: str
    frozen_why: str
    run_id: int | None
    run_name: str | None

    @property
    def key(self) -> str:
        return f"{self.exchange}:{self.symbol}"


COLUMNS = (
    *("pk", "exchange", "symbol", "product", "leg", "units", "open_value", "realised", "book_id"),
    *("book__account_id", "book__state", "book__frozen_why", "book__run_id", "book__run__name"),
)


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


def rows_of(positions: QuerySet[Position]) -> list[Held]:
    return [Held._make(row) for row in positions.order_by("symbol", "id").values_list(*COLUMNS)]


def held_in(accounts: Iterable[Account], run: int | None) -> list[Held]:
    """Open positions, and closed legs of runs that are not over: their realised part belongs to what is shown."""
    unfinished = Q(book__kind=Book.Kind.RUN) & ~Q(book__state=Book.State.FLAT)
    found = Position.objects.filter(~Q(units=0) | unfinished, book__account__in=[account.pk for account in accounts])
    return rows_of(found if run is None else found.filter(book__run_id=run))


def holders(
    held: Sequence[Held], tags: Mapping[int, Tag], quotes: Mapping[str, Quote], now: datetime, bounds: Bounds
) -> dict[int, dict[Place, list[Holder]]]:
    """Account by account, place by place. Two queries."""
    book_ids = {p.book_id for p in held}
    goals = dict(ExitGoal.objects.filter(book__in=book_ids).exclude(state=ExitGoal.State.DONE).values_list("book_id", "state"))
    covers = _covers(held, book_ids)
    owners = {p.book_id: owner_named(p.run_id, p.run_name) for p in held}
    found: dict[int, dict[Place, list[Holder]]] = defaultdict(lambda: defaultdict(list))
    for p in held:
        found[p.account_id][p.account_id, (p.exchange, p.symbol, p.product)].append(
            Holder(
                position_id=p.pk,
                book_id=p.book_id,
                book_state=p.book_state,
                frozen_why=p.frozen_why,
                owner=owners[p.book_id],
                tag=tags[p.account_id],
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


def _covers(held: Iterable[Held], book_ids: Iterable[int]) -> dict[int, tuple[int, ...]]:
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
