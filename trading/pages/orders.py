"""The orders page: ours by intention, and what the brokers show that nobody here sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from django.db.models import Count, Q, QuerySet

from accounts.models import Account, BrokerRead
from algomirror.kernel import clock
from trading.domain.changes import why_fixed, why_not_modify
from trading.domain.orders import LIVE_STATES, WORKING, ChangeState, OrderState
from trading.models import BrokerOrder, Order
from trading.pages.parents import parent_key, progress
from trading.pages.tags import Owner, ReadState, Tag, active_accounts, owner_of, read_states, tag_of

S = OrderState
SHOWN_AT_MOST = 150
OPEN = sorted({S.INITIALIZED.value, *(s.value for s in LIVE_STATES)})
DOUBTFUL = [S.UNKNOWN.value, S.QUEUED.value, S.LAPSED.value]
REFUSED = [S.REJECTED.value, S.DENIED.value]
GROUPS: dict[str, list[str]] = {
    "open": OPEN,
    "filled": [S.FILLED.value],
    "cancelled": [S.CANCELED.value],
    "refused": REFUSED,
    "doubtful": DOUBTFUL,
}
CANCELLABLE = {S.INITIALIZED, S.ACCEPTED, S.PARTIALLY_FILLED}
# The broker's word in our words; "complete" without trades proves nothing and is not shown as filled.
_OUTSIDE = {"CANCELLED": S.CANCELED, "REJECTED": S.REJECTED}


@dataclass(frozen=True, slots=True)
class Wish:
    """What the filter asks for; None is everything. Without a day: today's orders and whatever is not finished."""

    account: int | None = None
    group: str = ""
    run: int | None = None
    day: date | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class OrderRow:
    order_id: int | None
    at: datetime
    tag: Tag
    owner: Owner
    exchange: str
    symbol: str
    product: str
    action: str
    purpose: str
    price_type: str
    price: Decimal | None
    trigger: Decimal | None
    units: int
    filled: int
    lot: int
    average: Decimal | None
    state: str
    reason: str
    name: str
    broker_order_id: str
    slice_no: int = 0
    attempt: int = 0
    is_stale: bool = False
    can_cancel: bool = False
    waits_for_trigger: bool = False
    # Why it can be changed in no way, and why not modified; empty: it can. Said only of what still works or waits.
    why_fixed: str = ""
    why_not_modify: str = ""
    is_working: bool = False
    asked: str = ""
    change_text: str = ""
    to_market: bool = False

    @property
    def can_modify(self) -> bool:
        return self.is_working and not self.why_not_modify

    @property
    def can_convert(self) -> bool:
        return self.is_working and not self.why_fixed

    @property
    def why_no_button(self) -> str:
        """The reason as text, where a button is missing; what is finished, or says it by its state, needs none."""
        said = self.asked or self.state in ("PENDING_CANCEL", "UNKNOWN", "SUBMITTED", "QUEUED")
        return (self.why_fixed or self.why_not_modify) if self.is_working and not said else ""

    @property
    def market_effect(self) -> str:
        left = self.units - self.filled
        return (
            f"Cancels {self.action} {left} of {self.units} {self.symbol} in {self.tag.name} ({self.tag.mode}), and when the "
            "books prove it ended, sends exactly what is left at the market, protected."
        )

    @property
    def effect(self) -> str:
        """The sentence a person says yes to before it is cancelled."""
        left = self.units - self.filled
        return f"Cancels {self.action} {left} of {self.units} {self.symbol} {self.product} in {self.tag.name} ({self.tag.mode})."


@dataclass(frozen=True, slots=True)
class Parent:
    """One intention. `head` is its only order, or the sum of them with the orders in `children`."""

    head: OrderRow
    children: tuple[OrderRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    buy: int = 0
    sell: int = 0
    open: int = 0
    filled: int = 0
    trigger_pending: int = 0
    refused: int = 0
    cancelled: int = 0
    doubtful: int = 0


@dataclass(frozen=True, slots=True)
class OrdersPage:
    parents: list[Parent]
    outside: list[OrderRow]
    reads: list[ReadState]
    counts: Counts
    # The oldest order shown, from which the next page goes on; None: there are no older ones.
    older: int | None
    failed: list[ReadState] = field(default_factory=list)


def orders_page(wish: Wish) -> OrdersPage:
    """Six queries, whatever the number of orders."""
    accounts = active_accounts()
    reads = read_states(accounts, BrokerRead.Kind.ORDERS)
    failed = [read for read in reads if read.error]
    stale = {read.tag.account_id for read in failed}
    found = ours(wish)
    page = found if wish.before is None else found.filter(pk__lt=wish.before)
    rows = list(page.select_related("account", "book__run", "broker_row").order_by("-id")[: SHOWN_AT_MOST + 1])
    older = rows[SHOWN_AT_MOST - 1].pk if len(rows) > SHOWN_AT_MOST else None
    rows = rows[:SHOWN_AT_MOST]
    if not wish.group and (wish.before is not None or older is not None):
        rows = _whole_intentions(rows, found, wish.before)
    # With some orders of an intention filtered away its sum would lie: each order stands alone then.
    shown = [_row(order, stale) for order in rows]
    return OrdersPage(
        parents=_parents(shown) if not wish.group else [Parent(row) for row in shown],
        outside=[] if wish.run or wish.group or wish.before else _outside(wish, stale),
        reads=reads,
        counts=_counts(found),
        older=older,
        failed=failed,
    )


def _whole_intentions(rows: list[Order], found: QuerySet[Order], before: int | None) -> list[Order]:
    """The intentions whose newest order lies on this page, each with all its orders; those of a newer page are left out."""
    wanted = {parent_key(order.client_order_id) for order in rows}
    near = found.filter(book__in={order.book_id for order in rows}, leg__in={order.leg for order in rows})
    names = {pk: parent_key(name) for pk, name in near.values_list("pk", "client_order_id")}
    newer = {name for pk, name in names.items() if before is not None and pk >= before}
    here = {order.pk: order for order in rows if parent_key(order.client_order_id) not in newer}
    missing = [pk for pk, name in names.items() if name in wanted - newer and pk not in here]
    more = Order.objects.filter(pk__in=missing).select_related("account", "book__run", "broker_row") if missing else []
    return sorted([*here.values(), *more], key=lambda order: -order.pk)


def order_row(order_id: int) -> OrderRow | None:
    found = Order.objects.select_related("account", "book__run", "broker_row").filter(pk=order_id).first()
    return None if found is None else row_of(found)


def row_of(order: Order) -> OrderRow:
    return _row(order, set())


def ours(wish: Wish) -> QuerySet[Order]:
    """What the filter asks for, whatever page of it is shown."""
    found = Order.objects.all()
    if wish.day is not None:
        found = found.filter(trading_day=wish.day)
    elif wish.run is None:
        found = found.filter(Q(trading_day=clock.trading_day()) | Q(state__in=OPEN))
    if wish.account is not None:
        found = found.filter(account_id=wish.account)
    if wish.run is not None:
        found = found.filter(book__run_id=wish.run)
    if wish.group:
        found = found.filter(state__in=GROUPS[wish.group])
    return found


def _counts(found: QuerySet[Order]) -> Counts:
    working = [s.value for s in WORKING]
    return Counts(
        **found.aggregate(
            buy=Count("pk", filter=Q(action="BUY")),
            sell=Count("pk", filter=Q(action="SELL")),
            open=Count("pk", filter=Q(state__in=OPEN)),
            filled=Count("pk", filter=Q(state=S.FILLED.value)),
            trigger_pending=Count("pk", filter=Q(state__in=working, broker_row__word="TRIGGER_PENDING")),
            refused=Count("pk", filter=Q(state__in=REFUSED)),
            cancelled=Count("pk", filter=Q(state=S.CANCELED.value)),
            doubtful=Count("pk", filter=Q(state__in=DOUBTFUL)),
        )
    )


def _row(order: Order, stale: set[int]) -> OrderRow:
    broker_row = getattr(order, "broker_row", None)
    state = S(order.state)
    return OrderRow(
        order_id=order.pk,
        at=order.created_at,
        tag=tag_of(order.account),
        owner=owner_of(order.book),
        exchange=order.exchange,
        symbol=order.symbol,
        product=order.product,
        action=order.action,
        purpose=order.purpose,
        price_type=order.price_type,
        price=order.price or None,
        trigger=order.trigger_price or None,
        units=order.units,
        filled=order.filled_units,
        lot=order.lot_units,
        average=_average(order.filled_value, order.filled_units),
        state=order.state,
        reason=order.reason,
        name=order.client_order_id,
        broker_order_id=order.broker_order_id,
        slice_no=order.slice_no,
        attempt=order.attempt,
        is_stale=order.account_id in stale,
        can_cancel=state in CANCELLABLE and (state is S.INITIALIZED or bool(order.broker_order_id)),
        waits_for_trigger=state in WORKING and broker_row is not None and broker_row.word == "TRIGGER_PENDING",
        why_fixed=why_fixed(order, order.book.state),
        why_not_modify=why_not_modify(order, order.book.state),
        is_working=state in LIVE_STATES,
        asked=_asked(order),
        change_text=order.change_text if order.change_state in (ChangeState.REFUSED, ChangeState.UNSURE) else "",
        to_market=order.to_market and (order.is_live or order.follows_price),
    )


def _asked(order: Order) -> str:
    """What a change in doubt asked for, in words; empty when none is."""
    if order.change_state != ChangeState.ASKED:
        return ""
    parts = (
        ("", order.asked_price, order.price),
        ("trigger ", order.asked_trigger, order.trigger_price),
        ("units ", order.asked_units, order.units),
    )
    return ", ".join(f"{word}{new}" for word, new, old in parts if new is not None and new != old)


def _average(value: Decimal, units: int) -> Decimal | None:
    return value / units if units else None


def _parents(rows: Sequence[OrderRow]) -> list[Parent]:
    """Newest intention first; its orders oldest first."""
    grouped: dict[str, list[OrderRow]] = {}
    for row in rows:
        grouped.setdefault(parent_key(row.name), []).append(row)
    return [Parent(group[0]) if len(group) == 1 else _summed(group[::-1]) for group in grouped.values()]


def _summed(children: Sequence[OrderRow]) -> Parent:
    first, last, so_far = children[0], children[-1], progress(children)
    value = sum((c.average * c.filled for c in children if c.average is not None), Decimal(0))
    head = OrderRow(
        order_id=None,
        at=first.at,
        tag=first.tag,
        owner=first.owner,
        exchange=first.exchange,
        symbol=first.symbol,
        product=first.product,
        action=first.action,
        purpose=first.purpose,
        price_type=last.price_type,
        price=last.price,
        trigger=last.trigger,
        units=so_far.units,
        filled=so_far.filled,
        lot=first.lot,
        average=_average(value, so_far.filled),
        state=so_far.state.value,
        reason=next((c.reason for c in reversed(children) if c.state == so_far.state and c.reason), ""),
        name=parent_key(first.name),
        broker_order_id="",
        is_stale=first.is_stale,
    )
    return Parent(head, tuple(children))


def _outside(wish: Wish, stale: set[int]) -> list[OrderRow]:
    found = BrokerOrder.objects.filter(order=None, trading_day=wish.day or clock.trading_day()).select_related("account")
    if wish.account is not None:
        found = found.filter(account_id=wish.account)
    return [_outside_row(row, row.account, stale) for row in found[:SHOWN_AT_MOST]]


def _outside_row(row: BrokerOrder, account: Account, stale: set[int]) -> OrderRow:
    return OrderRow(
        order_id=None,
        at=row.first_seen_at,
        tag=tag_of(account),
        owner=Owner("Outside"),
        exchange=row.exchange,
        symbol=row.symbol,
        product=row.product,
        action=row.action,
        purpose="",
        price_type=row.price_type,
        price=row.price or None,
        trigger=row.trigger_price or None,
        units=row.units,
        filled=row.traded_units,
        lot=0,
        average=_average(row.traded_value, row.traded_units),
        state=_outside_state(row).value,
        reason=row.reason,
        name=row.raw_status,
        broker_order_id=row.broker_order_id,
        is_stale=row.account_id in stale,
        waits_for_trigger=row.word == "TRIGGER_PENDING",
    )


def _outside_state(row: BrokerOrder) -> OrderState:
    if row.traded_units and row.traded_units >= row.units:
        return S.FILLED
    ended = _OUTSIDE.get(row.word)
    if ended is not None:
        return ended
    return S.PARTIALLY_FILLED if row.traded_units else S.ACCEPTED
