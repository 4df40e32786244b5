"""The feed process: one at work per owner, by lease; a standby waits. Everything is looked at anew each second."""

from __future__ import annotations

import gc
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from django.conf import settings
from django.db import close_old_connections

from accounts.models import Account
from algomirror.kernel import clock
from algomirror.ops import hooks, lease
from algomirror.ops.heartbeat import beat
from algomirror.ops.push import push
from marketdata import status
from marketdata.feed import watch
from marketdata.feed.client import PING_EVERY_S, PONG_WITHIN_S
from marketdata.feed.desk import Desk
from marketdata.feed.failover import Facts, Failover, Pace
from marketdata.feed.logbook import Logbook, Seen
from marketdata.feed.orders import OrderStreams
from marketdata.feed.wanted import wanted
from marketdata.models import FeedPin

log = logging.getLogger(__name__)

TERM_S = 5.0
TURN_S = 1.0


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds between looks and pings; the defaults are the product's."""

    turn_s: float = TURN_S
    ping_every_s: float = PING_EVERY_S
    pong_within_s: float = PONG_WITHIN_S
    pace: Pace | None = None


@dataclass
class Watch:
    """What one term of duty holds: gone when the lease goes."""

    owner_id: int
    desk: Desk
    orders: OrderStreams
    failover: Failover
    book: Logbook
    source: Account | None = None
    skews: dict[int, tuple[float, float]] = field(default_factory=dict)


class Runner:
    def __init__(self, owner_id: int | None = None, times: Times = Times()) -> None:
        self._owner_id = owner_id
        self._times = times
        self._halt = Event()
        self._renewed_at = float("-inf")
        self.at_work: Watch | None = None

    def stop(self) -> None:
        self._halt.set()

    def run(self) -> None:
        while not self._halt.is_set():
            try:
                self._wait_and_serve()
            except Exception:
                log.exception("feed turn failed")
            close_old_connections()
            if not self._halt.wait(TURN_S):
                self._forget_term()

    def _forget_term(self) -> None:
        """What a term held is one knot of threads that call each other, and this process searches for such almost never."""
        if self.at_work is not None:
            self.at_work = None
            gc.collect()

    def _wait_and_serve(self) -> None:
        owner_id = self._owner_id or _owner_of_accounts()
        if owner_id is None:
            return
        asked_at = clock.monotonic()
        held = lease.acquire(f"feed:{owner_id}", seconds=TERM_S)
        if held is None:
            return
        self._renewed_at = asked_at
        log.info("feed at work lease=%s term=%s", held.name, held.token)
        times = self._times
        at_work = self.at_work = Watch(
            owner_id,
            Desk(self.may_act, ping_every_s=times.ping_every_s, pong_within_s=times.pong_within_s),
            OrderStreams(ping_every_s=times.ping_every_s),
            Failover(times.pace or Pace(fail_back_s=settings.FEED_FAIL_BACK_S)),
            Logbook(owner_id),
        )
        try:
            self._serve(held, at_work)
        finally:
            at_work.desk.stop()
            at_work.orders.stop()
            self._renewed_at = float("-inf")
            lease.release(held)
            log.info("feed laid down lease=%s", held.name)

    def may_act(self) -> bool:
        """False as soon as our term may have passed, also when the process was paused and did not notice."""
        return clock.monotonic() - self._renewed_at < TERM_S

    def _serve(self, held: lease.Held, at_work: Watch) -> None:
        while not self._halt.is_set():
            started = clock.monotonic()
            if not self._renew(held, started):
                log.warning("feed lease lost lease=%s", held.name)
                return
            try:
                turn(at_work)
            except Exception:
                log.exception("feed turn failed")
                close_old_connections()
            self._halt.wait(max(self._times.turn_s - (clock.monotonic() - started), 0.05))

    def _renew(self, held: lease.Held, asked_at: float) -> bool:
        if not self.may_act() or not lease.renew(held, seconds=TERM_S):
            return False
        self._renewed_at = asked_at
        return True


def turn(at_work: Watch) -> None:
    """The second's work, from the rows as they are now."""
    desk, orders = at_work.desk, at_work.orders
    owned = Account.objects.filter(owner_id=at_work.owner_id, archived_at=None)
    accounts = list(owned.order_by("-is_primary", "backup_rank", "id"))
    _take_source(at_work, accounts)
    desk.want(wanted(desk.wanted))
    desk.look_after()
    orders.keep(accounts)
    _probe(at_work, accounts)
    now, at = clock.monotonic(), clock.now()
    is_ticking = desk.is_ticking(now)
    if is_ticking:
        at_work.failover.recovered()
    dark_s, exhausted = desk.dark_s(at), at_work.failover.is_exhausted
    at_work.book.look(at_work.source, Seen(is_ticking, desk.last_index_at, dark_s, exhausted, desk.left_out()))
    at_work.skews = orders.skews()
    at_work.book.skews(accounts, at_work.skews)
    _report(at_work, is_ticking=is_ticking, dark_s=dark_s)


def _take_source(at_work: Watch, accounts: Sequence[Account]) -> None:
    move = at_work.failover.decide(accounts, _facts(at_work, accounts), clock.monotonic())
    if move is None:
        return
    before, at_work.source = at_work.source, move.account
    at_work.book.moved(before, move, at_work.desk.last_index_at)
    log.warning("feed source from=%s to=%s by=%s why=%s", before, move.account, move.by, move.why)
    at_work.desk.use(move.account)


def _facts(at_work: Watch, accounts: Sequence[Account]) -> Facts:
    desk = at_work.desk
    pin = FeedPin.objects.filter(owner_id=at_work.owner_id).first()
    healthy_s = at_work.orders.healthy_s(accounts[0].pk) if accounts else 0.0
    could_return = at_work.source is not None and not at_work.source.is_primary and healthy_s > 0
    return Facts(
        failures=desk.failures(),
        error=desk.error(),
        is_needed=desk.is_needed(clock.now()),
        primary_healthy_s=healthy_s,
        is_entering=could_return and bool(hooks.call("is_entering")),
        pinned_id=pin.account_id if pin else None,
        pinned_by=pin.by if pin else "",
    )


def _probe(at_work: Watch, accounts: Sequence[Account]) -> None:
    """While a backup feeds us, the primary's order socket carries one index, to see whether it lives again."""
    primary = accounts[0] if accounts and accounts[0].is_primary else None
    away = primary is not None and at_work.source is not None and at_work.source.pk != primary.pk
    one_index = frozenset(sorted(at_work.desk.wanted.indices)[:1])
    at_work.orders.probe(primary.pk if primary is not None and away else None, one_index)


def _report(at_work: Watch, *, is_ticking: bool, dark_s: float | None) -> None:
    orders, source, now = at_work.orders, at_work.source, clock.now().timestamp()
    tier = "NONE" if source is None else "REST" if not is_ticking and dark_s is not None and dark_s > watch.INDEX_SILENT_S else ""
    figures: dict[str, Any] = {
        **at_work.desk.figures(),
        "tier": tier or ("PRIMARY" if source is not None and source.is_primary else "BACKUP"),
        "dark_s": None if dark_s is None else round(dark_s, 1),
        "order_streams": f"{orders.live()}/{orders.count()}",
        "skew": {str(pk): [round(skew, 3), round(now - age, 1)] for pk, (skew, age) in at_work.skews.items()},
    }
    beat("feed", **figures)
    push("market", "values", v=status.live_values(figures))


def _owner_of_accounts() -> int | None:
    return Account.objects.filter(archived_at=None).order_by("-is_primary", "id").values_list("owner_id", flat=True).first()
