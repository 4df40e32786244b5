"""Scheduled for the next trading day: the calendar's clock starts it, squares it off, and does so again the day after."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest

from accounts.gateway import directory
from accounts.models import Account
from algomirror.kernel import clock
from algomirror.ops.models import Alarm, Journal
from marketdata import calendar
from risk.domain.limits import LimitTerms
from risk.domain.terms import RiskTerms
from risk.models import GuardState, RiskEvent
from strategies.domain.drafts import Draft, ScheduleTerms
from strategies.models import ScheduledStart
from strategies.services import build, preview, schedules, start
from tests.strategies import stage
from tests.strategies.living import a_far_side, is_, jump, live
from trading.models import Order, Position, Run

pytestmark = pytest.mark.django_db
D = Decimal
TIMES = ScheduleTerms((0, 1, 2, 3, 4), time(9, 20), time(9, 25))


def ist(day: int, hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, second, tzinfo=UTC) - timedelta(hours=5, minutes=30)


@pytest.fixture
def far(db):
    with a_far_side() as side:
        yield side


def scheduled(**terms) -> None:
    accounts = [account.pk for account in Account.objects.order_by("id")]
    limits = LimitTerms(max_loss=D(50_000), more=RiskTerms(**terms))
    draft = Draft("Morning", "NRML", tuple(accounts), tuple(stage.condor()), limits, schedule=TIMES)
    strategy = build.save_strategy(stage.alice(), draft).strategy
    schedules.switch(strategy, on=True, by="user:alice")


def begun(far, day: int) -> Run:
    """The run that the clock begins at 09:20 of that day, seen through its entry."""
    before = set(Run.objects.values_list("pk", flat=True))
    jump(far, ist(day, 9, 19, 58))
    live(far, 30, until=lambda: Run.objects.exclude(pk__in=before).exists())
    run = Run.objects.exclude(pk__in=before).get()
    live(far, 30, until=is_(run, "OPEN"))
    return run


def test_it_begins_at_nine_twenty_and_is_squared_off_at_ten_past_three_day_after_day(far):
    scheduled(square_off=time(15, 10))
    # Friday 20 November, 10:30: the window of today was over when it was switched on.
    live(far, 1, until=lambda: True)
    assert schedules.sweep() == 0 and not Run.objects.exists()
    first = begun(far, 23)
    assert ist(23, 9, 20) <= first.started_at < ist(23, 9, 20, 10)
    assert all(p.units for p in Position.objects.filter(book__run=first)) and first.books.count() == 2

    jump(far, ist(23, 15, 9, 55))
    assert not RiskEvent.objects.exists()
    live(far, 60, until=is_(first, "CLOSED"))
    first.refresh_from_db()
    assert first.exit_reason == "SQUARE_OFF" and first.flat_at < ist(23, 15, 11)
    assert RiskEvent.objects.get().at >= ist(23, 15, 10)

    # The 24th is a holiday; the 25th makes the next run, its limits armed afresh.
    jump(far, ist(24, 9, 21))
    assert schedules.sweep() == 0
    second = begun(far, 25)
    assert second.pk != first.pk and ScheduledStart.objects.filter(state="STARTED").count() == 2
    assert not GuardState.objects.filter(run=second, state="TRIPPED").exists() and second.limits.max_loss == 50_000
    assert not Alarm.objects.filter(kind="SCHEDULE_MISSED").exists()


def test_on_the_last_day_of_its_contracts_it_leaves_a_quarter_of_an_hour_before_the_close(far):
    scheduled()
    run = begun(far, 23)
    assert {row["expiry"] for row in run.plan.lines} == {"2026-11-23"}
    jump(far, ist(23, 15, 24, 55))
    assert calendar.session_close("NFO", ist(23, 12, 0).date()) == ist(23, 15, 40)
    live(far, 60, until=is_(run, "CLOSED"))
    run.refresh_from_db()
    assert run.exit_reason == "EXPIRY" and ist(23, 15, 25) <= run.flat_at < ist(23, 15, 27)


def test_what_shall_expire_is_settled_after_the_close_without_an_order(far):
    scheduled(let_expire=True)
    run = begun(far, 23)
    sent = len(far.sent)
    jump(far, ist(23, 15, 39, 58))
    live(far, 2, until=lambda: True)
    live(far, 1, until=lambda: True)
    jump(far, ist(23, 15, 45, 5))
    live(far, 30, until=is_(run, "CLOSED"))
    run.refresh_from_db()
    assert run.exit_reason == "EXPIRY" and len(far.sent) == sent, "nothing was sent for it"
    assert Order.objects.filter(book__run=run, price_type="EXPIRY").count() == 8
    assert Journal.objects.filter(kind="book.settled", run_id=run.pk).count() == 8


def half_entered(far, *, filled_after_s: float) -> Run:
    """The moment everything dies: hedges are at the broker, no short is."""
    for number in (1, 2):
        far.world.faults.add("slow_fill", account=number, count=2, seconds=filled_after_s)
    accounts = list(Account.objects.order_by("id"))
    version = stage.saved(accounts)
    plan = preview.preview(version, accounts, user=stage.alice())
    run = start.start(plan.key, digest=plan.digest, idempotency_key="half", by="user:alice")
    live(far, 20, until=lambda: Order.objects.filter(purpose="HEDGE", state="ACCEPTED").count() == 4)
    shorts = Order.objects.filter(book__run=run, action="SELL")
    assert set(shorts.values_list("state", flat=True)) == {"INITIALIZED"}
    # Nothing of this process survives.
    directory._clients.clear()
    calendar.forget()
    return run


def test_half_entered_and_back_within_the_window_it_is_completed(far):
    run = half_entered(far, filled_after_s=2)
    jump(far, clock.now() + timedelta(seconds=60))
    live(far, 30, until=is_(run, "OPEN"))
    for book in run.books.all():
        assert sorted(p.units for p in book.positions.all()) == [-65, -65, 65, 65]
    assert not Alarm.objects.filter(kind="ENTRY_INCOMPLETE").exists()


def test_half_entered_and_the_hedge_never_came_it_is_unwound(far):
    run = half_entered(far, filled_after_s=3600)
    jump(far, clock.now() + timedelta(seconds=60))
    live(far, 60, until=is_(run, "CLOSED"))
    run.refresh_from_db()
    assert run.exit_reason == "ENTRY_ABORTED"
    assert not Order.objects.filter(book__run=run, action="SELL", purpose="ENTRY", sent_at__isnull=False).exists()


def test_half_entered_and_back_too_late_no_short_is_sent_any_more_and_it_is_said(far):
    run = half_entered(far, filled_after_s=2)
    sent = len(far.sent)
    jump(far, clock.now() + timedelta(seconds=600))
    live(far, 30, until=is_(run, "OPEN"))
    assert len(far.sent) == sent
    shorts = Order.objects.filter(book__run=run, action="SELL")
    assert set(shorts.values_list("state", flat=True)) == {"DENIED"}
    assert "entry window" in shorts.first().reason
    alarm = Alarm.objects.get(kind="ENTRY_INCOMPLETE", run_id=run.pk)
    assert "Account 1 130 of 260, Account 2 130 of 260" in alarm.text
