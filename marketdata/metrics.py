"""The feed, for Prometheus, as its heartbeat last said."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from algomirror.kernel import clock
from algomirror.ops.metrics import gauge
from marketdata import quotes, selectors
from marketdata.models import ViewingSession
from marketdata.status import feed_status


def collect() -> Iterator[Metric]:
    now = clock.now()
    status = feed_status(now)
    states = [((state,), float(status.state == state)) for state in ("live", "stale", "down")]
    yield gauge("feed_state", "1 for the state the feed is in", ["state"], states)
    index = [] if status.age_s is None else [((), status.age_s)]
    yield gauge("feed_index_age_seconds", "Age of the newest index tick", [], index)
    figures = [((name,), float(value)) for name, value in status.detail.items() if _is_figure(value)]
    yield gauge("feed_detail", "Figures of the feed's heartbeat: ticks, symbols wanted, drops", ["figure"], figures)
    ages = [((q.key,), q.age_s(now)) for q in quotes.get(selectors.index_keys().values()).values()]
    yield gauge("index_quote_age_seconds", "Age of each index price in the store", ["key"], ages)
    watching = ViewingSession.objects.filter(expires__gt=now).count()
    yield gauge("viewing_sessions", "Open views that want ticks", [], [((), watching)])


def _is_figure(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
