"""Protection, for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count
from prometheus_client.metrics_core import Metric

from algomirror.kernel import clock
from algomirror.ops.metrics import gauge, histogram
from risk.models import Blindness, GuardState, RiskEvent, TradingState
from trading.models import ExitGoal

BOUNDS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
MOST_ROWS = 2_000


def collect() -> Iterator[Metric]:
    states = [((str(row.account_id or "platform"), row.state), 1.0) for row in TradingState.objects.all()]
    yield gauge(
        "trading_state", "1 for the state of the platform and of each account that ever had one", ["scope", "state"], states
    )
    guards = GuardState.objects.exclude(run__state="CLOSED").values_list("state").annotate(n=Count("id")).order_by()
    yield gauge("guards", "Guards of open runs by state", ["state"], [((state,), n) for state, n in guards])
    yield histogram(
        "tick_to_exit_goal_seconds", "From the tick that tripped a guard to its exit goal", BOUNDS_S, _ticks_to_goals()
    )
    blind = Blindness.objects.exclude(since=None).exclude(run__state="CLOSED").count()
    yield gauge("runs_blind", "Open runs without a complete mark", [], [((), blind)])


def _ticks_to_goals() -> list[float]:
    """Of today's decisions made on a tick: how old the newest price was when the goal stood in the database."""
    events = RiskEvent.objects.filter(at__gte=clock.start_of(clock.trading_day()), seen_by="tick", action="EXIT").order_by("-id")
    rows = list(events.values_list("at", "numbers", "goal_ids")[:MOST_ROWS])
    asked = dict(ExitGoal.objects.filter(pk__in=[ids[0] for _, _, ids in rows if ids]).values_list("pk", "requested_at"))
    waits = []
    for at, numbers, ids in rows:
        told = [*numbers.get("legs", ()), numbers.get("underlying") or {}]
        ages = [one["age_ms"] for one in told if one.get("age_ms") is not None]
        if ids and ages and ids[0] in asked:
            waits.append(max((asked[ids[0]] - at).total_seconds(), 0) + max(min(ages), 0) / 1000)
    return waits
