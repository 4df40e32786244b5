"""Figures for Prometheus, read from rows and Redis when asked: right for any number of processes and machines.

Each room has a collector; settings.METRICS names them. Nothing secret, no money, no names of people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import redis
from django.conf import settings
from django.db.models import Count
from django.utils.module_loading import import_string
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from algomirror.kernel import clock
from algomirror.ops import alarms, backup, canary, queue
from algomirror.ops.alerts.models import AlertChannel, AlertDelivery
from algomirror.ops.models import Check, Heartbeat, Lease

Rows = Iterable[tuple[Sequence[str], float]]


def gauge(name: str, says: str, labels: Sequence[str], rows: Rows) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"algomirror_{name}", says, labels=list(labels))
    for values, figure in rows:
        family.add_metric([str(v) for v in values], figure)
    return family


def histogram(name: str, says: str, bounds: Sequence[float], waits_s: Sequence[float]) -> HistogramMetricFamily:
    """Today's waits in seconds; the counts start anew with the trading day."""
    buckets = [(f"{bound:g}", sum(wait <= bound for wait in waits_s)) for bound in bounds]
    family = HistogramMetricFamily(f"algomirror_{name}", says)
    family.add_metric([], [*buckets, ("+Inf", len(waits_s))], sum_value=sum(waits_s))
    return family


class _Room(Collector):
    def __init__(self, collect: Callable[[], Iterator[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterator[Metric]:
        yield from self._collect()


def text() -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    for path in settings.METRICS:
        registry.register(_Room(import_string(path)))
    return generate_latest(registry)


def collect() -> Iterator[Metric]:
    """What operations know: signs of life, leases, queues, alarms, alerts."""
    now = clock.now()
    beats = [((row.name,), (now - row.at).total_seconds()) for row in Heartbeat.objects.all()]
    yield gauge("heartbeat_age_seconds", "Since a process last gave a sign of life", ["name"], beats)
    leases = [((row.name,), float(row.expires > now)) for row in Lease.objects.all()]
    yield gauge("lease_held", "1 while somebody holds the duty", ["name"], leases)
    yield from _queues()
    ringing = alarms.ringing().values_list("kind").annotate(n=Count("id")).order_by()
    yield gauge("alarms_ringing", "Alarms that nobody acknowledged", ["kind"], [((kind,), n) for kind, n in ringing])
    waiting = AlertDelivery.objects.filter(state=AlertDelivery.State.WAITING).count()
    yield gauge("alerts_waiting", "Alert deliveries not sent yet", [], [((), waiting)])
    channels = AlertChannel.objects.filter(enabled=True).values_list("kind", "failures_in_row", "pk")
    failing = [((kind, str(pk)), failures) for kind, failures, pk in channels]
    yield gauge("alert_channel_failures", "Failures in a row of a channel", ["kind", "channel"], failing)
    yield from _board(now)


def _board(now: datetime) -> Iterator[Metric]:
    lines = Check.objects.values_list("state").annotate(n=Count("id")).order_by()
    yield gauge("readiness_lines", "Lines of the readiness board by state", ["state"], [((state,), n) for state, n in lines])
    at = backup.newest(Path(settings.BACKUP_DIR)) if settings.BACKUP_DIR else None
    yield gauge(
        "backup_age_seconds", "Since the newest copy of the database", [], [((), (now - at).total_seconds())] if at else []
    )


def _queues() -> Iterator[Metric]:
    depths: list[tuple[Sequence[str], float]] = []
    answers: list[tuple[Sequence[str], float]] = []
    is_up = 1.0
    try:
        for cluster in settings.CLUSTERS:
            depths.append(((cluster,), float(queue.depth(cluster))))
            age = canary.age_s(cluster)
            if age is not None:
                answers.append(((cluster,), age))
    except (redis.RedisError, OSError):
        is_up = 0.0
    yield gauge("redis_up", "1 while Redis answers", [], [((), is_up)])
    yield gauge("queue_depth", "Tasks that wait on a cluster's queue", ["cluster"], depths)
    yield gauge("cluster_answer_age_seconds", "Since a cluster last did a task", ["cluster"], answers)
