"""What the feed leaves behind for people: who fed when and why, how long nobody did, and who must be called."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from accounts.models import Account
from algomirror.kernel import clock
from algomirror.ops import alarms, journal
from algomirror.ops.push import push
from marketdata.feed.failover import ENGINE, Move
from marketdata.models import FailoverRecord, FeedPin


@dataclass(frozen=True, slots=True)
class Seen:
    """`dark_s`: since the last index tick of any source, None outside sessions. Monotonic times in seconds."""

    is_ticking: bool
    last_index_at: float | None
    dark_s: float | None
    is_exhausted: bool
    left_out: int = 0


class Logbook:
    def __init__(self, owner_id: int) -> None:
        self._owner_id = owner_id
        self._open: list[tuple[int, float]] = []
        self._by_rest = False
        self._is_dark = False
        self._is_capped = False
        self._red: frozenset[int] = frozenset()

    def moved(self, before: Account | None, move: Move, last_index_at: float | None) -> None:
        """One row, one journal line, and an alarm when nobody wanted it, in one transaction."""
        to_id = move.account.pk if move.account else None
        from_id = before.pk if before else None
        with transaction.atomic():
            journal.record(
                "feed.source",
                actor=move.by,
                why=move.why,
                moved=(_short(before), _short(move.account)),
                account_id=to_id,
                from_id=from_id,
                to_id=to_id,
            )
            if move.unpin:
                FeedPin.objects.filter(owner_id=self._owner_id).delete()
            if not move.is_switch or before is None:
                return
            self._record(before.pk, to_id, move.why, move.by, last_index_at)
        if move.is_failure:
            text = f"Prices come from {move.account} now: {before}: {move.why}"
            alarms.ring("FEED_SWITCHED", text, key=str(from_id), from_id=from_id, to_id=to_id)

    def look(self, source: Account | None, seen: Seen) -> None:
        """The second's entry: the blind time ends, the feed goes dark or comes back, the cap bites."""
        if seen.dark_s is None:
            self._open.clear()
        elif seen.is_ticking:
            self._ticked(source, seen)
        elif seen.is_exhausted and not self._by_rest and source is not None:
            self._by_rest = True
            self._record(source.pk, None, "no source delivers; open positions are read by REST", ENGINE, seen.last_index_at)
        if seen.dark_s is not None and not self._is_dark and (seen.dark_s > settings.FEED_DARK_ALARM_S or self._by_rest):
            self._is_dark = True
            text = f"No index has ticked for {seen.dark_s:.0f} s; open positions are read by REST."
            alarms.ring("FEED_DOWN", text, key=str(self._owner_id), dark_s=round(seen.dark_s, 1))
        if seen.left_out and not self._is_capped:
            text = f"{seen.left_out} viewed symbols are beyond the cap of {settings.FEED_SYMBOL_CAP} and do not tick."
            alarms.ring("FEED_CAP", text, key=str(self._owner_id), left_out=seen.left_out)
        self._is_capped = seen.left_out > 0

    def skews(self, accounts: list[Account], skews: dict[int, tuple[float, float]]) -> None:
        """An alarm when a server's clock goes red, not each second that it is."""
        red = frozenset(pk for pk, (skew, _) in skews.items() if abs(skew) > settings.SKEW_RED_S)
        for account in accounts:
            if account.pk in red - self._red:
                skew = skews[account.pk][0]
                text = f"{account.name}: its server's clock is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} ours."
                alarms.ring("CLOCK_SKEW", text, account_id=account.pk, skew_s=round(skew, 2))
        self._red = red

    def _ticked(self, source: Account | None, seen: Seen) -> None:
        assert seen.last_index_at is not None
        for record_id, dark_since in self._open:
            blind_ms = max(round((seen.last_index_at - dark_since) * 1000), 0)
            FailoverRecord.objects.filter(pk=record_id).update(blind_ms=blind_ms)
        if self._open:
            push("feeds", "changed")
        self._open.clear()
        if self._by_rest and source is not None:
            self._by_rest = False
            self._record(None, source.pk, "prices stream again", ENGINE, None)
        self._is_dark = False

    def _record(self, from_id: int | None, to_id: int | None, reason: str, by: str, dark_since: float | None) -> None:
        row = FailoverRecord.objects.create(
            owner_id=self._owner_id, at=clock.now(), from_account_id=from_id, to_account_id=to_id, reason=reason[:200], by=by
        )
        # Coming back from REST ends a darkness that an earlier row counts.
        if from_id is not None:
            self._open.append((row.pk, clock.monotonic() if dark_since is None else dark_since))
        push("feeds", "changed")


def _short(account: Account | None) -> str:
    return "none" if account is None else str(account.pk)
