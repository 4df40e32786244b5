"""How the feed is doing, as its heartbeat last said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from statistics import median
from typing import Any

from django.conf import settings
from django.db.models import TextField
from django.db.models.functions import Cast

from algomirror.kernel import clock
from algomirror.ops import sight
from algomirror.ops.models import Heartbeat
from algomirror.ops.prepared import Prepared

SILENT_S = 5.0
# What a person who may not see the feeding account is told instead of its name.
ANOTHER = "another account"
# A clock that nobody has measured for so long is unknown.
SKEW_KEPT_S = 120.0
# What the feed page shows live, by the names of the heartbeat's figures.
LIVE_FIGURES = (
    "tier", "ticks_per_s", "index_age_s", "lag_ms", "wanted", "acknowledged", "refused", "silent", "open", "left_out",
    "reconnects", "asked", "bad_prices", "doubted", "repeats", "order_streams", "slowest_guard_ms",
)  # fmt: skip

_said_by_the_feed = Prepared(
    lambda: (
        Heartbeat.objects.filter(name="feed").order_by().annotate(said=Cast("detail", TextField())).values_list("said", flat=True)
    )
)


@dataclass(frozen=True)
class FeedStatus:
    """`age_s` is the age of the newest index tick, counted to now; None when none is known.

    `state` is live, stale or down, for the eye; the detail of the heartbeat has the figures. `is_reporting` False: they
    are what a process last said that has fallen silent.
    """

    state: str
    source: str
    age_s: float | None
    detail: dict[str, Any]
    is_reporting: bool = True


def feed_status(now: datetime) -> FeedStatus:
    """One query. A feed that has not reported for 5 s is down, whatever it said last."""
    row = Heartbeat.objects.filter(name="feed").first()
    if row is None:
        return FeedStatus("down", "", None, {}, is_reporting=False)
    since = (now - row.at).total_seconds()
    reported = row.detail.get("index_age_s")
    age = None if reported is None else float(reported) + max(since, 0.0)
    is_reporting = since <= SILENT_S
    state = word(row.detail.get("state"), age) if is_reporting else "down"
    detail = row.detail if sight.may_see(row.detail.get("account_id")) else {**row.detail, "source": ANOTHER}
    return FeedStatus(state, str(detail.get("source", "")), age, detail, is_reporting)


def word(link: object, index_age_s: float | None) -> str:
    if link != "LIVE":
        return "down"
    return "live" if index_age_s is not None and index_age_s <= SILENT_S else "stale"


def skew_text(skew_s: float) -> str:
    """To the hundredth, a nothing without a minus."""
    return f"{round(skew_s, 2) + 0.0:+.2f} s"


def live_values(figures: Mapping[str, Any]) -> dict[str, str | None]:
    """The figures as a page's live cells take them."""
    told = {f"feed:{name}": _text(figures.get(name)) for name in LIVE_FIGURES}
    skews = {f"feed:skew:{pk}": skew_text(pair[0]) for pk, pair in figures.get("skew", {}).items()}
    named = {"feed:word": word(figures["state"], figures["index_age_s"]), "feed:source": str(figures["source"])}
    return {**told, **skews, **named, "feed:rate": _text(figures["ticks_per_s"])}


def _text(figure: object) -> str | None:
    return None if figure is None else str(figure)


def skews(now: datetime | None = None) -> dict[int, float]:
    """Account -> its server's clock less ours, in seconds. An account that was not measured lately is absent."""
    said = _said_by_the_feed.first()
    return {} if said is None else skews_of({"skew": _measured(said)}, now or clock.now())


@lru_cache(1)
def _measured(said: str) -> Mapping[str, Any]:
    """The clocks in what the feed said. It says so once a second, and in that second every order that leaves asks."""
    skews: Mapping[str, Any] = json.loads(said).get("skew") or {}
    return skews


def skews_of(detail: Mapping[str, Any], now: datetime) -> dict[int, float]:
    measured = detail.get("skew") or {}
    return {int(pk): float(skew) for pk, (skew, at) in measured.items() if now.timestamp() - float(at) <= SKEW_KEPT_S}


def skew_s(account_id: int, now: datetime | None = None) -> float | None:
    """Seconds by which the account's server is ahead of us, negative when behind; None when unknown."""
    return skews(now).get(account_id)


def own_skew_s(now: datetime | None = None) -> float | None:
    """Seconds by which our own clock is ahead of the median of the servers; None while fewer than two are measured."""
    return own_skew_of(skews(now))


def own_skew_of(known: Mapping[int, float]) -> float | None:
    """The same from what `skews` gave."""
    return -median(known.values()) if len(known) >= 2 else None


def skew_level(skew: float | None) -> str:
    """ok, amber, red, or unknown."""
    if skew is None:
        return "unknown"
    far = abs(skew)
    return "red" if far > settings.SKEW_RED_S else "amber" if far > settings.SKEW_AMBER_S else "ok"
