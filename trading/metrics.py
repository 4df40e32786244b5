"""Orders, exits and their waits, for Prometheus. Of the present trading day, from rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from django.db.models import Count, Min
from prometheus_client.metrics_core import Metric

from algomirror.kernel import clock
from algomirror.ops.metrics import gauge, histogram
from trading.models import Book, ExitGoal, Fill, Order, Position, Run

BOUNDS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
MOST_ROWS = 20_000


def collect() -> Iterator[Metric]:
    today = clock.trading_day()
    orders = Order.objects.filter(trading_day=today)
    by_state = orders.values_list("state", "purpose").annotate(n=Count("id")).order_by()
    yield gauge("orders_today", "Orders by state and purpose", ["state", "purpose"], [((s, p), n) for s, p, n in by_state])
    unknown = Order.objects.filter(state__in=["UNKNOWN", "QUEUED"]).count()
    yield gauge("orders_unknown", "Orders of which nobody knows whether the broker has them", [], [((), unknown)])
    yield gauge("fills_today", "Fills proven by trade books", [], [((), Fill.objects.filter(trading_day=today).count())])
    goals = ExitGoal.objects.exclude(state="DONE").values_list("state").annotate(n=Count("id")).order_by()
    yield gauge("exit_goals_open", "Exits that are not done", ["state"], [((state,), n) for state, n in goals])
    books = Book.objects.exclude(state="FLAT").values_list("state").annotate(n=Count("id")).order_by()
    yield gauge("books_open", "Books that are not flat", ["state"], [((state,), n) for state, n in books])
    runs = Run.objects.exclude(state="CLOSED").values_list("state").annotate(n=Count("id")).order_by()
    yield gauge("runs_open", "Runs that are not closed", ["state"], [((state,), n) for state, n in runs])
    held = Position.objects.exclude(units=0).count()
    yield gauge("positions_open", "Instruments that books hold", [], [((), held)])
    yield from _waits(today)


def _waits(today: date) -> Iterator[Metric]:
    times = list(
        Order.objects.filter(trading_day=today, sent_at__isnull=False)
        .annotate(filled_at=Min("fills__first_seen_at"))
        .values_list("created_at", "sent_at", "answered_at", "filled_at")[:MOST_ROWS]
    )
    decided = [(sent - created).total_seconds() for created, sent, _, _ in times if sent]
    answered = [(answer - sent).total_seconds() for _, sent, answer, _ in times if sent and answer]
    filled = [(fill - sent).total_seconds() for _, sent, _, fill in times if sent and fill]
    yield histogram("order_decision_to_wire_seconds", "From an order's row to its leaving us", BOUNDS_S, decided)
    yield histogram("order_wire_to_answer_seconds", "From leaving us to the server's answer", BOUNDS_S, answered)
    yield histogram("order_wire_to_fill_seconds", "From leaving us to the first proven fill", BOUNDS_S, filled)
    goals = ExitGoal.objects.filter(first_sent_at__isnull=False, requested_at__date=today).values_list(
        "requested_at", "first_sent_at"
    )
    waits = [(sent - asked).total_seconds() for asked, sent in goals if sent]
    yield histogram("exit_asked_to_wire_seconds", "From asking for an exit to its first order", BOUNDS_S, waits)
