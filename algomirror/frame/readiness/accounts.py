"""Checks of each account, from its link, its kept reads and the feed's measurements."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from django.conf import settings

from accounts import egress
from accounts.gateway import limits
from accounts.models import Account, BrokerRead
from algomirror.frame.readiness.found import AMBER, GREEN, RED, Found, ago
from algomirror.kernel import clock
from algomirror.ops.models import Check
from marketdata.status import skew_level, skews
from trading.pages.compare import Compared, Place, Verdict, compared

FUNDS_OLD = timedelta(minutes=2)
FUNDS_DEAD = timedelta(minutes=10)
# A share of the allowed calls in the last second from which new ones begin to wait.
NEARLY_ALL = 0.9

_LOG_IN = "Log in at the broker on the account's OpenAlgo server, then run the checks."
_LINKS = {Account.Link.UP: GREEN, Account.Link.UNKNOWN: AMBER, Account.Link.DEGRADED: AMBER}
_SKEWS = {"ok": GREEN, "amber": AMBER, "red": RED, "unknown": AMBER}


def findings(accounts: list[Account], now: datetime) -> list[Found]:
    """Eight checks each, in a number of queries that does not grow with the accounts."""
    kept = {(row.account_id, row.kind): row for row in BrokerRead.objects.filter(account__in=accounts)}
    places, measured = compared(accounts), skews(now)
    found: list[Found] = []
    for account in accounts:
        funds, positions = (kept.get((account.pk, kind)) for kind in (BrokerRead.Kind.FUNDS, BrokerRead.Kind.POSITIONS))
        found += [
            _gateway(account, now),
            _session(account, now),
            _mode(account, funds, now),
            _funds(account, funds, now),
            _positions(account, positions, _verdicts(places, account.pk), now),
            _skew(account, measured.get(account.pk)),
            _rate(account),
            _address(account, accounts),
        ]
    return found


def _gateway(account: Account, now: datetime) -> Found:
    state = _LINKS.get(Account.Link(account.link), RED)
    heard = "never answered" if account.last_good_at is None else f"last good answer {ago(account.last_good_at, now)}"
    value = f"{account.get_link_display().lower()}, {heard}"
    if account.latency_ms is not None and state == GREEN:
        value += f", {account.latency_ms} ms"
    return Found("gateway", state, value, "" if state == GREEN else account.last_failure or "Test the account.", account.pk)


def _session(account: Account, now: datetime) -> Found:
    """OpenAlgo answers a wrong key and an ended broker session alike, so this is one check."""
    if account.link == Account.Link.REFUSED:
        return Found("key and broker session", RED, "refused", _LOG_IN, account.pk)
    if account.last_good_at is None or clock.trading_day(account.last_good_at) != clock.trading_day(now):
        return Found("key and broker session", RED, "not proven since 03:00, when sessions end", _LOG_IN, account.pk)
    return Found("key and broker session", GREEN, "proven today by funds", account_id=account.pk)


def _mode(account: Account, funds: BrokerRead | None, now: datetime) -> Found:
    """Funds of another world are never kept, so kept funds of today prove the mode."""
    if _is_of_today(funds, now) and funds is not None and not funds.error:
        return Found("mode", GREEN, account.get_mode_display().lower(), account_id=account.pk)
    remedy = account.last_failure or "It is compared with each answer about funds."
    return Found("mode", AMBER, f"expected {account.get_mode_display().lower()}, not proven today", remedy, account.pk)


def _funds(account: Account, row: BrokerRead | None, now: datetime) -> Found:
    if row is None or row.finished_at is None:
        return Found("funds", RED, "never read", "Test the account.", account.pk)
    age = now - row.finished_at
    state = GREEN if age <= FUNDS_OLD and not row.error else AMBER if age <= FUNDS_DEAD else RED
    return Found("funds", state, f"read {ago(row.finished_at, now)}", row.error if state != GREEN else "", account.pk)


def _positions(account: Account, row: BrokerRead | None, verdicts: list[Verdict], now: datetime) -> Found:
    if not _is_of_today(row, now) or row is None or row.finished_at is None:
        return Found("positions", RED, "no complete read today", "Press Refresh on Positions, or test the account.", account.pk)
    value = f"read {ago(row.finished_at, now)}"
    if differing := verdicts.count(Verdict.DIFFERS):
        return Found("positions", RED, f"{value}, {differing} differ from our books", "Look at Positions.", account.pk)
    if outside := verdicts.count(Verdict.OUTSIDE):
        return Found(
            "positions", AMBER, f"{value}, {outside} held outside AlgoMirror", "They are never traded by us.", account.pk
        )
    return Found("positions", GREEN, f"{value}, all explained", account_id=account.pk)


def _skew(account: Account, skew: float | None) -> Found:
    state = _SKEWS[skew_level(skew)]
    value = "not measured lately" if skew is None else f"{round(skew, 1) + 0:+.1f} s against ours"
    remedy = (
        ""
        if state == GREEN
        else "Measured by the feed's streams: is the feed running?"
        if skew is None
        else "Set both clocks by NTP."
    )
    return Found("clock", state, value, remedy, account.pk)


def _rate(account: Account) -> Found:
    orders = limits.used(account.pk, "orders")
    reads = limits.used(account.pk, "reads")
    if orders is None or reads is None:
        return Found("calls", AMBER, "not known: Redis is down", "Start Redis.", account.pk)
    value = f"{orders} of {account.orders_per_second} orders, {reads} of {settings.READS_PER_SECOND} reads in the last second"
    is_full = orders >= NEARLY_ALL * account.orders_per_second or reads >= NEARLY_ALL * settings.READS_PER_SECOND
    state: Check.State = AMBER if is_full else GREEN
    return Found("calls", state, value, "Entries wait; exits go first." if is_full else "", account.pk)


def _address(account: Account, accounts: list[Account]) -> Found:
    """Brokers take orders of a live account from its registered address only; one address serves one family."""
    name, registered = "registered address", account.registered_address
    if account.mode == Account.Mode.PAPER:
        return Found(name, GREEN, "paper needs none", account_id=account.pk)
    if registered is None:
        return Found(name, AMBER, "not entered", "Enter the address you registered with the broker under Accounts.", account.pk)
    seen = egress.addresses_of(account)
    if seen and registered not in seen:
        leaves = " or ".join(sorted(seen))
        remedy = "Register the new address with the broker, or correct it under Accounts."
        return Found(name, RED, f"orders leave from {leaves}, registered is {registered}", remedy, account.pk)
    strangers = [a.name for a in accounts if a.pk != account.pk and a.registered_address == registered and _is_other(a, account)]
    if strangers:
        remedy = "One address may serve one family: give the other account a server of its own."
        return Found(name, AMBER, f"{registered}, shared with {', '.join(strangers)}", remedy, account.pk)
    if not seen:
        remedy = "Its server is in this network: say where that leaves from in EGRESS_ADDRESSES."
        return Found(name, AMBER, f"{registered}, not comparable", remedy, account.pk)
    return Found(name, GREEN, str(registered), account_id=account.pk)


def _is_other(one: Account, another: Account) -> bool:
    """Not of one family, as their owner says."""
    other = Account.Relation.OTHER
    return other in (one.relation, another.relation) and (one.relation != another.relation or one.holder != another.holder)


def _is_of_today(row: BrokerRead | None, now: datetime) -> bool:
    return row is not None and row.finished_at is not None and clock.trading_day(row.finished_at) == clock.trading_day(now)


def _verdicts(places: Mapping[Place, Compared], account_id: int) -> list[Verdict]:
    return [one.verdict for (owner, _), one in places.items() if owner == account_id]
