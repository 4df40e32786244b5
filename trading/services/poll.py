"""Reading an account's books and applying what they prove. Polling, start-up and Sync are this one act."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from django.conf import settings
from django.db import transaction

from accounts import reads
from accounts.gateway.directory import gateway_for
from accounts.gateway.openalgo import EXIT_WAIT_S
from accounts.gateway.port import Gateway
from accounts.gateway.reports import Answer, BookOrder, BookPosition, BookTrade, Failed, Read, Why
from accounts.models import Account, BrokerRead
from algomirror.kernel import clock
from algomirror.ops import alarms, scribe
from algomirror.ops.among import Among
from algomirror.ops.lease import has_ended
from algomirror.ops.prepared import Prepared
from algomirror.ops.steps import steps
from trading.domain import reconcile as truth
from trading.domain.orders import CHANGE_IN_DOUBT, LIVE_STATES, OrderState
from trading.models import BrokerOrder, Order
from trading.services import abreast, apply, differences, earlier, evidence, halt, late, mirror, moments, terms, unread, versions

log = logging.getLogger(__name__)

T = TypeVar("T")


class _Edited(Exception):
    """The account was given another server, key or mode while its books were on their way."""


GIVEN_UP = (OrderState.CANCELED, OrderState.REJECTED, OrderState.LAPSED)
# Books that were asked for ahead are no news any more after this.
AHEAD_S = 0.5
Kind = BrokerRead.Kind
# Ended orders of today are still watched for late truths.
WATCHED = [s.value for s in LIVE_STATES | {OrderState.LAPSED, OrderState.CANCELED, OrderState.REJECTED, OrderState.FILLED}]


class _Line(NamedTuple):
    """What reconciliation looks at of an order; the first nineteen are those of `truth.OurOrder`."""

    order_id: int
    book_id: int
    exchange: str
    symbol: str
    product: str
    action: str
    units: int
    price_type: str
    price: Decimal
    trigger_price: Decimal
    state: str
    broker_order_id: str
    filled_units: int
    filled_value: Decimal
    baseline_read: int
    missing_reads: int
    sent_at: datetime | None
    cancel_asked_at: datetime | None
    answered_at: datetime | None
    strange_word: str
    sender: str
    change_state: str
    version: int


# Of an account what its gateway is known by; a new gateway reads the rest.
_accounts = Prepared(lambda account: Account.objects.filter(pk=account).only("name", "mode", "config_version"))
_config = Prepared(lambda account: Account.objects.filter(pk=account).order_by().values_list("config_version", flat=True))
_trades_read = Prepared(
    lambda account: BrokerRead.objects.filter(account_id=account, kind=Kind.TRADES).values_list("started_at", flat=True)
)
# Without the rows' usual order, here as in the other small questions: it leads SQLite through all that the account ever had.
# A few columns of each: by the afternoon there are hundreds, of which a read moves one or two.
_today = Prepared(
    lambda account, day: (
        Order.objects.filter(account_id=account, trading_day=day)
        .order_by()
        .values_list("pk", "book_id", *_Line._fields[2:-1], "book__version")
    )
)
_orders_of = Among("pk", lambda mine: Order.objects.filter(mine).select_related("book").order_by())


def account(account_id: int, *, positions: bool = True) -> bool:
    """One round over one account: order book, trade book and positions, and what they prove. Outside any transaction.

    Positions are read once more where something has just ended and only a newer read can say what is left of it. True when
    every read asked for was complete. A failed read is recorded and changes nothing else.
    """
    moments.watch()
    row = _accounts.one(account_id)
    gateway = gateway_for(row)
    has_old_ones = earlier.has_any(account_id)
    trades_known_to = _trades_read.first(account_id) if has_old_ones else None
    asked = _asked_ahead(account_id, gateway) or _Asked.of(gateway, positions=positions)
    owns = asked.owns(wanted=positions)
    order_answer, trade_answer = (_of_this_world(row, answer) for answer in asked.books.all())
    owned = [_of_this_world(row, answer) for answer in owns.all()] if owns is not None else []
    good = all(isinstance(answer, Read) for answer in (order_answer, trade_answer))
    try:
        _take_in(row, order_answer, trade_answer, has_old_ones=has_old_ones, trades_known_to=trades_known_to)
        for answer in owned:
            good = _compare(row, answer) and good
            if evidence.lacks_proof(row.pk):
                good = _compare(row, _of_this_world(row, gateway.position_book())) and good
    except _Edited:
        log.info("read dropped account=%s: it has another server by now", account_id)
        return False
    if not good:
        unread.tell(row)
    return good


def forget(account_id: int) -> None:
    """What was read of this account is another world's: until its books were read anew nothing is sent for it, and no row of
    the old ones is missed, or taken for new, in the new ones. In the transaction that gives it another server, key or mode;
    not while anything of it is open."""
    # In this order: a poll that has written its reads is through before its rows are looked for.
    BrokerRead.objects.filter(account_id=account_id).exclude(kind=Kind.FUNDS).delete()
    BrokerOrder.objects.filter(account_id=account_id, trading_day=clock.trading_day()).delete()


def _of_this_server(row: Account, keep: Callable[[], T]) -> Callable[[], T]:
    """`keep`, taken back where the account has another server by now. Looked at last: `forget` has waited for what was kept,
    or what it belongs to is seen here."""

    def kept() -> T:
        found = keep()
        if _config.first(row.pk) != row.config_version:
            raise _Edited
        return found

    return kept


@dataclass(frozen=True, slots=True)
class _Asked:
    """Books that were asked for."""

    gateway: Gateway
    at: float  # monotonic seconds
    books: abreast.Calls[Answer[Any]]
    positions: abreast.Calls[Answer[Any]] | None

    @classmethod
    def of(cls, gateway: Gateway, *, positions: bool) -> _Asked:
        abreast.expect(gateway.account_id, "reads", 3 if positions else 2, exit=False)
        # Side by side is safe: an order's end counts only when an earlier read has shown it too (truth.Rules.confirm).
        books: abreast.Calls[Answer[Any]] = abreast.begun(
            abreast.Call(gateway.order_book, gateway.start_order_book), abreast.Call(gateway.trade_book, gateway.start_trade_book)
        )
        return cls(gateway, clock.monotonic(), books, _positions(gateway) if positions else None)

    def owns(self, *, wanted: bool) -> abreast.Calls[Answer[Any]] | None:
        """The positions, asked for now where they were not ahead."""
        if wanted:
            return self.positions or _positions(self.gateway)
        if self.positions is not None:
            self.positions.drop()
        return None

    def drop(self) -> None:
        """Nobody wants them any more."""
        self.books.drop()
        if self.positions is not None:
            self.positions.drop()


def _positions(gateway: Gateway) -> abreast.Calls[Answer[list[BookPosition]]]:
    return abreast.begun(abreast.Call(gateway.position_book, gateway.start_position_book))


# By account, of this process; the newest.
_begun: dict[int, _Asked] = {}


def ask_ahead(account_id: int, gateway: Gateway, *, positions: bool) -> None:
    """Ask for the books now, for the poll that comes next. It is a poll like any other that began a moment earlier."""
    if abreast.is_possible():
        # Where the process ends no thread begins any more.
        with suppress(RuntimeError):
            before, _begun[account_id] = _begun.get(account_id), _Asked.of(gateway, positions=positions)
            if before is not None:
                before.drop()


def _asked_ahead(account_id: int, gateway: Gateway) -> _Asked | None:
    asked = _begun.pop(account_id, None)
    if asked is not None and not (asked.gateway is gateway and clock.monotonic() - asked.at < AHEAD_S):
        asked.drop()
        return None
    return asked


def is_asked_ahead(account_id: int) -> bool:
    """The books are asked for already, and nobody has looked at what they say."""
    return account_id in _begun


def _compare(row: Account, answer: Answer[list[BookPosition]]) -> bool:
    rows = _rows(answer)
    kept = scribe.write(_of_this_server(row, lambda: _store(row, Kind.POSITIONS, answer, rows)))
    if isinstance(answer, Failed):
        return False
    # What is newer was compared when it came.
    if kept.is_newest:
        differences.check(row, answer)
    return True


def _take_in(
    row: Account,
    order_answer: Answer[list[BookOrder]],
    trade_answer: Answer[list[BookTrade]],
    *,
    has_old_ones: bool,
    trades_known_to: datetime | None,
) -> None:
    """One commit for what was read and all that it proves. What was read is kept even where that cannot be applied."""
    trades = trade_answer.value if isinstance(trade_answer, Read) else None
    rows = [_rows(answer) for answer in (order_answer, trade_answer)]
    # Thought out before the others are made to wait for this commit; where anything moved meanwhile, it is thought out anew.
    ahead = _ahead(row, order_answer, trades) if isinstance(order_answer, Read) else None

    def take_in() -> Exception | None:
        sequence = _store(row, Kind.ORDERS, order_answer, rows[0]).number
        _store(row, Kind.TRADES, trade_answer, rows[1])
        try:
            with transaction.atomic():
                # Whatever the order book says or does not say: of an earlier day's trades only the kept read knew.
                if has_old_ones:
                    earlier.end(row.pk, trades_known_to)
                if not isinstance(order_answer, Read):
                    return None
                holds = ahead is not None and ahead.sequence == sequence and versions.are(ahead.versions)
                proof = ahead if ahead is not None and holds else _prove(row, order_answer, trades, sequence)
                _apply(row, proof)
        except Exception as error:  # noqa: BLE001 - raised again behind the commit
            return error
        return None

    failed = scribe.write(_of_this_server(row, take_in))
    if failed is not None:
        raise failed


def _ahead(row: Account, order_answer: Read[list[BookOrder]], trades: list[BookTrade] | None) -> Proof | None:
    try:
        return _prove(row, order_answer, trades, reads.sequence(row.pk, Kind.ORDERS) + 1)
    except Exception:  # noqa: BLE001 - thought out again where what was read is kept, and raised behind the commit
        return None


def ensure_fresh(account_ids: Iterable[int], *, max_age_s: float = 5.0) -> None:
    """Read the books of those accounts whose last complete round is older than `max_age_s`."""
    limit = clock.now() - timedelta(seconds=max_age_s)
    for account_id in account_ids:
        last = BrokerRead.objects.filter(account_id=account_id, kind=Kind.ORDERS).values_list("finished_at", flat=True).first()
        if last is None or last < limit:
            account(account_id)


def _rows(answer: Answer[Any]) -> list[dict[str, Any]] | None:
    """As they are kept; None when there are none to keep."""
    if isinstance(answer, Failed):
        return None
    return [{name: getattr(item, name) for name in item.__slots__} for item in answer.value]


def _store(row: Account, kind: str, answer: Answer[Any], rows: list[dict[str, Any]] | None) -> reads.Kept:
    if isinstance(answer, Failed):
        log.info("read failed account=%s kind=%s why=%s text=%s", row.pk, kind, answer.why, answer.text)
    return reads.store(row.pk, kind, answer, rows)


def _of_this_world(row: Account, answer: Answer[T]) -> Answer[T]:
    """Books of the other world say nothing about this account's money: they count as a failed read, and the account halts.
    Of books that were asked for before the clock was set back nobody knows what they are newer than."""
    if isinstance(answer, Failed):
        return answer
    if answer.started_at > clock.now():
        return Failed(Why.TIMEOUT, "the clock was set back while it was on its way")
    if answer.mode is None or answer.mode == row.mode:
        return answer
    why = f"{row.name}: the server answers in {answer.mode}, the account is marked {row.mode}"
    halt.account(row.pk, why=why)
    return Failed(Why.REFUSED, why, at=answer.finished_at)


@dataclass(frozen=True, slots=True)
class Proof:
    """What a read proves of an account's orders, as they were when it was thought out."""

    sequence: int  # the read's number
    versions: dict[int, int]  # of the books that were looked at
    found: Sequence[truth.Change]
    orders: dict[int, Order]  # those of `found`
    kept: mirror.Mirror
    lost: str  # a book that lacks rows it had before


def _prove(row: Account, order_answer: Read[list[BookOrder]], trades: list[BookTrade] | None, sequence: int) -> Proof:
    now = clock.now()
    day = clock.trading_day(now)
    sums = None if trades is None else truth.sum_trades((t.broker_order_id, t.units, t.price) for t in trades)
    kept, today = mirror.of(row.pk, day), sorted(map(_Line._make, _today(row.pk, day)), reverse=True)
    owners = {o.broker_order_id: o.order_id for o in today if o.broker_order_id}
    if sums is not None:
        kept = kept.recognise(order_answer, sums, owners=owners)
    orders_whole = not kept.lacks_orders(order_answer)
    trades_whole = sums is None or not kept.lacks_trades(sums)
    found = truth.reconcile(
        [_ours(o) for o in today if o.state in WATCHED],
        orders=kept.reflect(order_answer, sums or {}, sequence=sequence, owners=owners),
        trades=sums,
        read_started=order_answer.started_at,
        now=now,
        rules=rules(),
        orders_whole=orders_whole,
        trades_whole=trades_whole,
    )
    return Proof(
        sequence=sequence,
        versions={o.book_id: o.version for o in today},
        found=found,
        orders=_whole({change.order_id for change in found}),
        kept=kept,
        lost="" if orders_whole and trades_whole else "order" if not orders_whole else "trade",
    )


def _apply(row: Account, proof: Proof) -> None:
    if proof.lost:
        text = f"{row.name}: the {proof.lost} book lacks rows it had before"
        alarms.ring("BOOK_LOST_ROWS", text, account_id=row.pk)
    given_up = _filled_late(proof)
    apply.changes(row.pk, proof.found, proof.orders, mirrored=proof.kept.write)
    for order, units in given_up:
        late.filled(order, units)


def _filled_late(proof: Proof) -> list[tuple[Order, int]]:
    """Orders that were held for ended, with the units that traded all the same."""
    traded = [(proof.orders[c.order_id], c.units) for c in proof.found if isinstance(c, truth.Traded)]
    return [(order, units - order.filled_units) for order, units in traded if OrderState(order.state) in GIVEN_UP]


def rules() -> truth.Rules:
    return truth.Rules(
        lapse_reads=settings.LAPSE_READS,
        lapse_after=steps.real(settings.LAPSE_AFTER_S),
        # Waiting for the call budget is part of a sender's way too.
        sender=steps.real(EXIT_WAIT_S + settings.CONNECT_TIMEOUT_S + settings.ORDER_TIMEOUT_S + 2),
    )


def _ours(line: _Line) -> truth.OurOrder:
    is_changing = line.change_state in CHANGE_IN_DOUBT
    return truth.OurOrder(
        *line[:10],
        OrderState(line.state),
        *line[11:19],
        sender_gone=line.state == OrderState.SUBMITTED and has_ended(line.sender),
        strange_word=line.strange_word,
        change=terms.change_of(apply.get(line.order_id)) if is_changing else None,
    )


def _whole(ids: set[int]) -> dict[int, Order]:
    return {order.pk: order for order in _orders_of(ids)} if ids else {}
