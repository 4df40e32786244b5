"""The feed process: one at work per owner, by lease; a standby waits. Everything is looked at anew each second."""

from __future__ import annotations

import logging
from threading import Event

from django.db import close_old_connections

from accounts.models import Account
from algomirror.kernel import clock
from algomirror.ops import journal, lease
from algomirror.ops.heartbeat import beat
from algomirror.ops.push import push
from marketdata.feed.client import Link
from marketdata.feed.desk import Desk
from marketdata.feed.orders import OrderStreams
from marketdata.feed.source import Choice
from marketdata.feed.wanted import wanted
from marketdata.feed.watch import INDEX_SILENT_S

log = logging.getLogger(__name__)

TERM_S = 5.0
TURN_S = 1.0


class Runner:
    def __init__(self, owner_id: int | None = None) -> None:
        self._owner_id = owner_id
        self._halt = Event()
        self._renewed_at = float("-inf")
        self._choice = Choice()

    def stop(self) -> None:
        self._halt.set()

    def run(self) -> None:
        while not self._halt.is_set():
            try:
                self._wait_and_serve()
            except Exception:
                log.exception("feed turn failed")
            close_old_connections()
            self._halt.wait(TURN_S)

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
        desk, orders = Desk(self.may_act), OrderStreams()
        try:
            self._serve(held, owner_id, desk, orders)
        finally:
            desk.stop()
            orders.stop()
            self._renewed_at = float("-inf")
            self._choice = Choice()
            lease.release(held)
            log.info("feed laid down lease=%s", held.name)

    def may_act(self) -> bool:
        """False as soon as our term may have passed, also when the process was paused and did not notice."""
        return clock.monotonic() - self._renewed_at < TERM_S

    def _serve(self, held: lease.Held, owner_id: int, desk: Desk, orders: OrderStreams) -> None:
        while not self._halt.is_set():
            started = clock.monotonic()
            if not self._renew(held, started):
                log.warning("feed lease lost lease=%s", held.name)
                return
            try:
                self._turn(owner_id, desk, orders)
            except Exception:
                log.exception("feed turn failed")
                close_old_connections()
            self._halt.wait(max(TURN_S - (clock.monotonic() - started), 0.05))

    def _renew(self, held: lease.Held, asked_at: float) -> bool:
        if not self.may_act() or not lease.renew(held, seconds=TERM_S):
            return False
        self._renewed_at = asked_at
        return True

    def _turn(self, owner_id: int, desk: Desk, orders: OrderStreams) -> None:
        accounts = list(Account.objects.filter(owner_id=owner_id, archived_at=None).order_by("-is_primary", "backup_rank", "id"))
        self._take_source(accounts, desk)
        desk.want(wanted(desk.wanted))
        desk.look_after()
        orders.keep(accounts)
        figures = {**desk.figures(), "order_streams": f"{orders.live()}/{orders.count()}"}
        beat("feed", **figures)
        index_age, is_live = figures["index_age_s"], figures["state"] == Link.LIVE.value
        word = "down" if not is_live else "live" if index_age is not None and index_age <= INDEX_SILENT_S else "stale"
        rate = str(figures["ticks_per_s"])
        push("market", "values", v={"feed:word": word, "feed:source": figures["source"], "feed:rate": rate})

    def _take_source(self, accounts: list[Account], desk: Desk) -> None:
        before = self._choice.account_id
        account, why = self._choice.choose(accounts, desk.failures())
        if not why:
            return
        journal.record(
            "feed.source",
            actor="engine:feed",
            why=why,
            moved=(str(before or "none"), str(account.pk if account else "none")),
            account_id=account.pk if account else None,
        )
        desk.use(account)


def _owner_of_accounts() -> int | None:
    return Account.objects.filter(archived_at=None).order_by("-is_primary", "id").values_list("owner_id", flat=True).first()
