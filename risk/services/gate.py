"""The pre-trade gate: the only maker of entry permits. What is not known denies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q

from accounts.models import Account, BrokerRead
from algomirror.kernel import clock
from algomirror.kernel.errors import Denied
from algomirror.kernel.money import Action
from algomirror.ops import readiness
from algomirror.ops.among import Among
from algomirror.ops.prepared import Prepared
from marketdata import calendar, cutoffs, status
from marketdata.domain.sessions import local
from risk.domain.pretrade import (
    NOTHING_RED,
    AccountFacts,
    Code,
    Denial,
    LineFacts,
    RedLine,
    SessionFacts,
    check_account,
    check_line,
    check_session,
)
from risk.domain.states import TradingMode
from risk.models import TradingState
from risk.services import ceilings, reference
from trading.domain.orders import UNACKNOWLEDGED
from trading.models import Order

# What `account_facts` looks at.
_accounts = Prepared(
    lambda account: Account.objects.filter(pk=account).order_by().only("name", "archived_at", "entries_enabled", "link", "mode")
)
Key = tuple[int, str, str, str, Action]  # account, exchange, symbol, product, action
# The platform's state and theirs.
_states_of = Among(
    "account_id", lambda mine: TradingState.objects.filter(Q(account=None) | mine).values_list("account_id", "state")
)
# When their order books were last read whole.
_books_read_at = Among(
    "account_id",
    lambda mine: BrokerRead.objects.filter(mine, kind=BrokerRead.Kind.ORDERS, finished_at__isnull=False).values_list(
        "account_id", "finished_at"
    ),
)
_unacknowledged_of = Among(
    "account_id",
    lambda mine: (
        Order.objects.filter(mine, state__in=sorted(s.value for s in UNACKNOWLEDGED))
        .order_by()
        .values_list("account_id", "exchange", "symbol", "product", "action")
    ),
)


def session_facts(exchange: str, now: datetime) -> SessionFacts:
    state = calendar.market_state(exchange, now)
    why = ", ".join(word for word in (state.reason.replace("_", " ").lower(), state.name) if word)
    return SessionFacts(exchange=exchange, is_open=state.is_open, is_covered=state.covered, reason=why)


def account_facts(
    accounts: Sequence[Account], *, mode: str | None, now: datetime, with_board: bool = True, with_books: bool = True
) -> dict[int, AccountFacts]:
    """Five queries for any number of accounts; `accounts` must be freshly read.

    `with_board` False: the readiness board, up to a minute old, has no say. A plan under way is not stopped in its middle by it.
    `with_books` False: when their order books were read is not asked; who judges by it nevertheless finds "never", and denies.
    """
    if not accounts:
        return {}
    ids = [account.pk for account in accounts]
    states: dict[int | None, TradingMode] = {account_id: TradingMode(state) for account_id, state in _states_of(ids)}
    read_at = dict(_books_read_at(ids)) if with_books else {}
    locked = ceilings.locked(accounts, now)
    red = readiness.blocking(ids) if with_board else {}
    skews = status.skews(now)
    own_skew = status.own_skew_of(skews)
    return {
        account.pk: AccountFacts(
            account_id=account.pk,
            name=account.name,
            is_active=account.is_active,
            entries_enabled=account.entries_enabled,
            platform_state=states.get(None, TradingMode.ACTIVE),
            account_state=states.get(account.pk, TradingMode.ACTIVE),
            link=account.link,
            mode=account.mode,
            planned_mode=mode,
            books_read_age_s=_age_s(read_at.get(account.pk), now),
            locked=locked.get(account.pk, ""),
            skew_s=skews.get(account.pk),
            own_skew_s=own_skew,
            unready=RedLine(red[account.pk].name, red[account.pk].sentence) if account.pk in red else NOTHING_RED,
        )
        for account in accounts
    }


def _age_s(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else (now - at).total_seconds()


def unacknowledged(account_ids: Iterable[int]) -> set[Key]:
    """Sides of instruments in which an order is out and not yet known to the broker's books."""
    rows = _unacknowledged_of(list(account_ids))
    return {(account, exchange, symbol, product, _action(action)) for account, exchange, symbol, product, action in rows}


def _action(text: str) -> Action:
    return "BUY" if text == "BUY" else "SELL"


def mis_denials(account: Account, exchanges: Iterable[str], now: datetime) -> list[Denial]:
    """MIS is not entered once runs of this account have left by the clock: it would be closed again at once."""
    day, found = clock.trading_day(now), []
    for exchange in sorted(set(exchanges)):
        cutoff = cutoffs.of_account(exchange, day, account.pk)
        if cutoff is not None and now >= cutoff.leaves_at:
            text = (
                f"{account.name}: its broker closes MIS on {exchange} at {local(cutoff.at):%H:%M}; "
                f"none is entered from {local(cutoff.leaves_at):%H:%M} on."
            )
            found.append(Denial(Code.ENTRY_WINDOW_CLOSED, text, account_id=account.pk))
    return found


def check_plan(
    *,
    accounts: Sequence[Account],
    mode: str | None,
    lines: Mapping[int, Sequence[LineFacts]],
    exchanges: Iterable[str],
    now: datetime,
    with_books: bool = True,
    opens_run: bool = False,
) -> list[Denial]:
    """Everything that speaks against sending these lines (by account id) now; empty means permitted."""
    found: list[Denial] = []
    for exchange in sorted(set(exchanges)):
        found.extend(check_session(session_facts(exchange, now)))
    facts = account_facts(accounts, mode=mode, now=now, with_books=with_books)
    named = {account.pk: account for account in accounts}
    # Accounts share the one object that says a line of all of them.
    said: dict[int, list[Denial]] = {}
    for account_id, account_lines in lines.items():
        found.extend(check_account(facts[account_id], with_books=with_books))
        mis = {line.exchange for line in account_lines if line.product == "MIS" and line.exchange}
        found.extend(mis_denials(named[account_id], mis, now))
        for line in account_lines:
            if id(line) not in said:
                said[id(line)] = list(check_line(line))
            found.extend(Denial(d.code, d.sentence, account_id=account_id, leg=d.leg) for d in said[id(line)])
    return [*found, *reference.denials(lines), *ceilings.denials(accounts, lines, now, opens_run=opens_run)]


def permit(denials: Sequence[Denial], *, plan: str, by: str, now: datetime, **numbers: Any) -> dict[str, Any]:
    """The written yes that goes on every order of a plan; raises the first denial, with all of them beside it."""
    refuse(denials)
    return {"plan": plan, "by": by, "at": now.isoformat(), **numbers}


def refuse(denials: Sequence[Denial]) -> None:
    """Raise Denied when there is anything to deny; the message says every reason once."""
    if not denials:
        return
    sentences = list(dict.fromkeys(denial.sentence for denial in denials))
    listed = [{"code": d.code.value, "text": d.sentence, "account": d.account_id, "leg": d.leg} for d in denials]
    raise Denied(denials[0].code.value, " ".join(sentences), denials=listed)


def recheck(order: Order) -> None:
    """The last look before an entry goes on the wire: session, states, locks, clocks, link, mode. Four small queries.

    Raises Denied. The plan was permitted a moment ago; what may have changed since is who may trade, not what.
    """
    now = clock.now()
    account = _accounts.one(order.account_id)
    if not order.permit:
        raise Denied(Code.NOT_PERMITTED, "The order has no permit of the gate.")
    # The order's own book is read while orders work; its age is the poller's matter, not a reason to stop half a plan.
    facts = account_facts([account], mode=order.book.mode, now=now, with_board=False, with_books=False)[account.pk]
    refuse([*check_session(session_facts(order.exchange, now)), *check_account(facts, with_books=False)])
    if order.book.state != "OPEN":
        raise Denied(Code.NOT_PERMITTED, f"The book is {order.book.state}: it takes no additions.")
