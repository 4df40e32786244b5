"""Protection, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count
from prometheus_client.metrics_core import Metric

from algomirror.ops.metrics import gauge
from risk.models import Blindness, GuardState, TradingState


def collect() -> Iterator[Metric]:
    states = [((str(row.account_id or "platform"), row.state), 1.0) for row in TradingState.objects.all()]
    yield gauge(
        "trading_state", "1 for the state of the platform and of each account that ever had one", ["scope", "state"], states
    )
    guards = GuardState.objects.exclude(run__state="CLOSED").values_list("state").annotate(n=Count("id")).order_by()
    yield gauge("guards", "Guards of open runs by state", ["state"], [((state,), n) for state, n in guards])
    blind = Blindness.objects.exclude(since=None).exclude(run__state="CLOSED").count()
    yield gauge("runs_blind", "Open runs without a complete mark", [], [((), blind)])
