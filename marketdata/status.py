"""How the feed is doing, as its heartbeat last said."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from algomirror.ops.models import Heartbeat

SILENT_S = 5.0


@dataclass(frozen=True)
class FeedStatus:
    """`age_s` is the age of the newest index tick, counted to now; None when none is known.

    `state` is live, stale or down, for the eye; the detail of the heartbeat has the figures.
    """

    state: str
    source: str
    age_s: float | None
    detail: dict[str, Any]


def feed_status(now: datetime) -> FeedStatus:
    """One query. A feed that has not reported for 5 s is down, whatever it said last."""
    row = Heartbeat.objects.filter(name="feed").first()
    if row is None:
        return FeedStatus("down", "", None, {})
    since = (now - row.at).total_seconds()
    reported = row.detail.get("index_age_s")
    age = None if reported is None else float(reported) + max(since, 0.0)
    if since > SILENT_S or row.detail.get("state") != "LIVE":
        state = "down"
    else:
        state = "live" if age is not None and age <= SILENT_S else "stale"
    return FeedStatus(state, str(row.detail.get("source", "")), age, row.detail)
