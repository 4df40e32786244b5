"""Links of accounts, for Prometheus. By number: names are for people."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric

from accounts.models import Account, BrokerRead
from algomirror.kernel import clock
from algomirror.ops.metrics import gauge


def collect() -> Iterator[Metric]:
    now = clock.now()
    rows = list(Account.objects.filter(archived_at=None))
    yield gauge(
        "link_up", "1 while an account's server answers", ["account"], [((str(a.pk),), float(a.link == "UP")) for a in rows]
    )
    good = [((str(a.pk),), (now - a.last_good_at).total_seconds()) for a in rows if a.last_good_at is not None]
    yield gauge("link_good_age_seconds", "Since an account's server last answered well", ["account"], good)
    spent = [((str(a.pk),), a.latency_ms / 1000) for a in rows if a.latency_ms is not None]
    yield gauge("link_latency_seconds", "How long the last check took", ["account"], spent)
    reads = BrokerRead.objects.filter(account__archived_at=None).values_list("account_id", "kind", "finished_at", "error")
    ages = [((str(pk), kind), (now - at).total_seconds()) for pk, kind, at, _ in reads if at is not None]
    yield gauge("read_age_seconds", "Since a broker's book was last read completely", ["account", "kind"], ages)
    failed = [((str(pk), kind), float(bool(error))) for pk, kind, _, error in reads]
    yield gauge("read_failed", "1 when the last attempt to read failed", ["account", "kind"], failed)
