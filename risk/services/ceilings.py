"""The gate's look at limits above the run: locks, ceilings, order rates, clocks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from operator import itemgetter

from django.db.models import Case, F, Q, QuerySet, When

from accounts.models import Account
from algomirror.kernel import clock
from algomirror.kernel.money import ZERO
from algomirror.ops.among import Among
from algomirror.ops.prepared import Prepared
from marketdata.models import Instrument
from risk.domain.ceilings import Ceiling, Usage, check
from risk.domain.pretrade import Denial, LineFacts
from risk.models import AccountLimits, EntryLock
from trading.domain.orders import CHANGE_IN_DOUBT, ENTRIES, LIVE_STATES, OrderState
from trading.models import Book, Order, Position

PLATFORM = "All accounts"
MAY_FILL = [state.value for state in LIVE_STATES | {OrderState.INITIALIZED}]
MINUTE = timedelta(minutes=1)
_all_limits = Prepared(AccountLimits.objects.all)
_locks_of = Among(
    "account_id",
    lambda mine, now: (
        EntryLock.objects.filter(Q(account=None) | mine, until__gt=now, released_by="")
        .order_by()
        .values_list("pk", "account_id", "mode", "until", "why")
    ),
)


def ceiling_of(row: AccountLimits) -> Ceiling:
    return Ceiling(
        daily_loss=row.daily_loss,
        daily_profit=row.daily_profit,
        max_lots=row.max_lots,
        max_notional=row.max_notional,
        orders_per_minute=row.orders_per_minute,
        orders_per_day=row.orders_per_day,
        max_runs=row.max_runs,
        losing_exits=row.losing_exits,
        cool_down_minutes=row.cool_down_minutes,
    )


def denials(
    accounts: Sequence[Account], lines: Mapping[int, Sequence[LineFacts]], now: datetime, *, opens_run: bool
) -> list[Denial]:
    """Everything that ceilings above the run have against adding these lines (by account id) to what stands."""
    found: list[Denial] = []
    rows = {row.account_id: row for row in _all_limits()}
    if not rows:
        return found
    adds = _planned(lines, opens_run=opens_run)
    stands = usage(now)
    names = {account.pk: account.name for account in accounts}
    for account_id, added in adds.items():
        if account_id in rows and account_id in names:
            after = stands.get(account_id, Usage()).plus(added)
            found += check(ceiling_of(rows[account_id]), after, name=names[account_id], account_id=account_id)
    if None in rows:
        whole = Usage()
        for one in [*stands.values(), *adds.values()]:
            whole = whole.plus(one)
        # One run over many accounts is one run.
        whole = Usage(whole.lots, whole.notional, whole.orders_this_minute, whole.orders_today, _open_runs() + opens_run)
        found += check(ceiling_of(rows[None]), whole, name=PLATFORM, account_id=None)
    return found


def locked(accounts: Sequence[Account], now: datetime) -> dict[int | None, str]:
    """Why entries are locked in these accounts, each by its first lock, its own before one over all of its mode.

    None: the first lock over all of a mode.
    """
    held = _locks_of([account.pk for account in accounts], now)
    said: dict[tuple[int | None, str], str] = {
        (account_id, mode): f"entries are locked until {clock.trading_day(until):%d %b}: {why}"
        for _, account_id, mode, until, why in sorted(held, key=itemgetter(0), reverse=True)
    }
    found: dict[int | None, str] = {}
    if of_all := [why for (account_id, _), why in said.items() if account_id is None]:
        found[None] = of_all[-1]
    for account in accounts:
        whose = ((account.pk, account.mode), (account.pk, ""), (None, account.mode), (None, ""))
        if why := next((said[one] for one in whose if one in said), ""):
            found[account.pk] = why
    return found


def usage(now: datetime) -> dict[int, Usage]:
    """What stands in every account: open and may still open, sent in the last minute and today, runs that live."""
    held = _held()
    terms = _terms(symbol for _, symbol, _ in held)
    lots: dict[int, int] = defaultdict(int)
    value: dict[int, Decimal | None] = defaultdict(lambda: ZERO)
    for account_id, symbol, units in held:
        lot, strike = terms.get(symbol, (1, None))
        lots[account_id] += -(-units // lot)
        before = value[account_id]
        value[account_id] = None if before is None or strike is None else before + strike * units
    day, minute = _orders(now)
    runs: dict[int, int] = defaultdict(int)
    for account_id in _live_books().values_list("account_id", flat=True):
        runs[account_id] += 1
    return {pk: Usage(lots[pk], value[pk], minute[pk], day[pk], runs[pk]) for pk in {*lots, *day, *runs}}


def _held() -> list[tuple[int, str, int]]:
    """(account, symbol, units) of positions, and of entries that may still fill, with a change that is not decided."""
    positions = Position.objects.exclude(units=0).values_list("book__account_id", "symbol", "units")
    entries = Order.objects.filter(purpose__in=[p.value for p in ENTRIES], state__in=MAY_FILL)
    in_doubt = Q(change_state__in=[state.value for state in CHANGE_IN_DOUBT], asked_units__gt=F("units"))
    most = Case(When(in_doubt, then=F("asked_units")), default=F("units"))
    waiting = entries.annotate(most=most).values_list("account_id", "symbol", "most", "filled_units")
    return [
        *((account, symbol, abs(units)) for account, symbol, units in positions),
        *((account, symbol, max(units - filled, 0)) for account, symbol, units, filled in waiting),
    ]


def _terms(symbols: Iterable[str]) -> dict[str, tuple[int, Decimal | None]]:
    rows = Instrument.objects.filter(symbol__in=set(symbols)).values_list("symbol", "lot_units", "strike")
    return {symbol: (max(lot, 1), strike) for symbol, lot, strike in rows}


def _orders(now: datetime) -> tuple[dict[int, int], dict[int, int]]:
    """Orders of today, and of the last minute, by account. Exits count too: the exchange counts them."""
    day: dict[int, int] = defaultdict(int)
    minute: dict[int, int] = defaultdict(int)
    sent = Order.objects.filter(trading_day=clock.trading_day(now)).exclude(state=OrderState.DENIED.value)
    for account_id, created_at in sent.values_list("account_id", "created_at"):
        day[account_id] += 1
        minute[account_id] += created_at > now - MINUTE
    return day, minute


def _live_books() -> QuerySet[Book]:
    return Book.objects.filter(kind=Book.Kind.RUN).exclude(state=Book.State.FLAT)


def _open_runs() -> int:
    return _live_books().values("run_id").distinct().count()


def _planned(lines: Mapping[int, Sequence[LineFacts]], *, opens_run: bool) -> dict[int, Usage]:
    terms = _terms(line.symbol for found in lines.values() for line in found)
    planned: dict[int, Usage] = {}
    for account_id, found in lines.items():
        total = Usage(runs=int(opens_run))
        for line in found:
            units, (lot, strike) = line.units or 0, terms.get(line.symbol, (line.lot_units or 1, None))
            total = total.plus(Usage(units // lot, None if strike is None else strike * units, 1, 1))
        planned[account_id] = total
    return planned
