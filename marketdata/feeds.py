"""The feed page: what feeds us now, what could, what did; and the owner's switch."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from accounts.models import Account, User
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops import journal, push
from marketdata.models import FailoverRecord, FeedPin
from marketdata.status import FeedStatus, feed_status, skew_level, skew_text, skews_of

SHOWN = 50
UNKNOWN = "–"
CELLS = (
    ("Source tier", "tier"),
    ("Ticks a second", "ticks_per_s"),
    ("Newest index tick, s ago", "index_age_s"),
    ("Tick under way, ms", "lag_ms"),
    ("Symbols wanted", "wanted"),
    ("Acknowledged", "acknowledged"),
    ("Silent over 5 s", "silent"),
    ("Refused by the server", "refused"),
    ("Beyond the cap", "left_out"),
    ("Of open positions", "open"),
    ("Reconnects", "reconnects"),
    ("Prices by REST", "asked"),
    ("Prices refused", "bad_prices"),
    ("Jumps doubted", "doubted"),
    ("Ticks repeated", "repeats"),
    ("Order streams", "order_streams"),
)
# In the looks of an age's dot.
_DOTS = {"ok": "live", "amber": "stale", "red": "down", "unknown": "unknown"}


@dataclass(frozen=True)
class SourceRow:
    """An account as a source of prices; `skew_s` is how far its server's clock is ahead of ours."""

    account: Account
    role: str
    is_source: bool
    is_pinned: bool
    skew_s: float | None

    @property
    def skew_text(self) -> str | None:
        return None if self.skew_s is None else skew_text(self.skew_s)

    @property
    def skew_dot(self) -> str:
        return _DOTS[skew_level(self.skew_s)]


@dataclass(frozen=True)
class FeedPage:
    status: FeedStatus
    live_since: datetime | None
    pin: FeedPin | None
    sources: list[SourceRow]
    records: list[FailoverRecord]

    @property
    def figures(self) -> dict[str, Any]:
        return self.status.detail

    @property
    def cells(self) -> list[tuple[str, str, str]]:
        """Label, name and text of each figure that the page keeps live; a silent feed has none."""
        figures = self.figures if self.status.is_reporting else {}
        told = ((label, key, figures.get(key)) for label, key in CELLS)
        return [(label, key, UNKNOWN if figure is None else str(figure)) for label, key, figure in told]


def page(now: datetime) -> FeedPage:
    """Four queries."""
    status = feed_status(now)
    accounts = list(Account.objects.filter(archived_at=None).order_by("-is_primary", "backup_rank", "id"))
    pin = FeedPin.objects.select_related("account").filter(account__in=accounts).first()
    records = FailoverRecord.objects.select_related("from_account", "to_account")[:SHOWN]
    skews = skews_of(status.detail, now)
    since_s = status.detail.get("since_s")
    return FeedPage(
        status,
        None if since_s is None or status.state == "down" else now - timedelta(seconds=float(since_s)),
        pin,
        [_row(account, at, status, pin, skews.get(account.pk)) for at, account in enumerate(accounts)],
        list(records),
    )


def _row(account: Account, at: int, status: FeedStatus, pin: FeedPin | None, skew: float | None) -> SourceRow:
    return SourceRow(
        account,
        "primary" if account.is_primary else f"backup {at}",
        status.detail.get("account_id") == account.pk,
        pin is not None and pin.account_id == account.pk,
        skew,
    )


def choose(user: User, account_id: int | None) -> None:
    """Feed from this account until it fails; None: let health decide again. The feed follows within a second."""
    if not user.is_owner:
        raise Refused("Only the owner chooses the source of prices.")
    actor = f"user:{user.username}"
    with transaction.atomic():
        before = FeedPin.objects.filter(owner=user).values_list("account_id", flat=True).first()
        if account_id is None:
            FeedPin.objects.filter(owner=user).delete()
        else:
            account = Account.objects.filter(owner=user, pk=account_id, archived_at=None).first()
            if account is None:
                raise Refused("There is no such account in use.", fields={"account": "unknown"})
            FeedPin.objects.update_or_create(owner=user, defaults={"account": account, "by": actor, "at": clock.now()})
        journal.record(
            "feed.choice",
            actor=actor,
            why="chosen by hand" if account_id is not None else "left to health again",
            moved=(str(before or "automatic"), str(account_id or "automatic")),
            account_id=account_id,
        )
        push.push("feeds", "changed")
