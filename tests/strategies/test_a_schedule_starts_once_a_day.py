"""Scheduled starts on a clock the test moves: once a day, inside the window, and said when missed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal

import pytest

from accounts.models import Account, User
from accounts.services import people
from algomirror.frame.dashboard_next import timed_acts
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops.models import Alarm
from marketdata.models import Holiday
from risk.domain.limits import LimitTerms
from risk.models import GuardState
from risk.selectors import open_runs
from strategies import beats
from strategies.domain.drafts import Draft, ScheduleTerms
from strategies.models import ScheduledStart, Strategy
from strategies.services import build, schedules
from tests.page_rules import text_of
from tests.strategies import stage
from trading.models import Run

pytestmark = pytest.mark.django_db
# Monday 23 November 2026, 09:20 in India.
MONDAY = datetime(2026, 11, 23, 3, 50, tzinfo=UTC)
TIMES = ScheduleTerms((0, 1, 2, 3, 4), time(9, 20), time(9, 25))


@pytest.fixture(autouse=True)
def _now():
    with stage.at(MONDAY - timedelta(hours=1)) as frozen:
        stage.market()
        yield frozen


def scheduled(terms: ScheduleTerms = TIMES, *, accounts: int = 1) -> Strategy:
    found = [stage.account(n) for n in range(1, accounts + 1)]
    draft = Draft(
        "Morning", "NRML", tuple(a.pk for a in found), tuple(stage.condor()), LimitTerms(max_loss=Decimal(5000)), schedule=terms
    )
    strategy = build.save_strategy(stage.alice(), draft).strategy
    assert schedules.switch(strategy, on=True, by="user:alice")
    return strategy


def at(frozen, moment: datetime) -> int:
    """What the clusters would do at this moment, with everything freshly read."""
    frozen.set(moment)
    stage.market()
    for account in Account.objects.all():
        stage.books_read(account)
        stage.funds_read(account)
    return schedules.sweep()


def test_it_starts_at_the_entry_time_and_only_once(_now):
    strategy = scheduled(accounts=2)
    assert at(_now, MONDAY - timedelta(seconds=1)) == 0 and not Run.objects.exists()
    assert at(_now, MONDAY) == 1
    assert at(_now, MONDAY + timedelta(seconds=10)) == 0
    row = ScheduledStart.objects.get()
    run = Run.objects.get()
    assert (row.strategy, row.state, row.run) == (strategy, "STARTED", run)
    assert run.books.count() == 2 and run.limits.max_loss == 5000


def test_the_next_trading_day_makes_the_next_run_with_its_limits_fresh(_now):
    scheduled()
    at(_now, MONDAY)
    Run.objects.update(state="CLOSED")
    assert at(_now, MONDAY + timedelta(days=1)) == 1
    first, second = Run.objects.order_by("id")
    assert first.pk != second.pk and second.guards.exclude(state="WAITING").count() == 0


@pytest.mark.parametrize("since", ["role", "disabled", "account"])
def test_who_may_not_trade_any_more_starts_nothing_by_the_clock(_now, since):
    strategy = scheduled()
    tara = stage.person("tara", "TRADER")
    Strategy.objects.update(owner=tara)
    if since == "role":
        people.change_role(stage.alice(), tara.pk, "VIEWER")
    elif since == "disabled":
        people.set_active(stage.alice(), tara.pk, False)
    else:
        people.assign(stage.alice(), tara.pk, [stage.account(7).pk])
    assert at(_now, MONDAY) == 0 and not Run.objects.exists()
    at(_now, MONDAY + timedelta(minutes=10))
    assert ScheduledStart.objects.get(strategy=strategy).state == "MISSED"
    assert "not trade" in Alarm.objects.get(kind="SCHEDULE_MISSED").text or since == "account"


def test_it_waits_for_the_gate_and_goes_on_trying(_now):
    scheduled()
    Account.objects.update(link="DOWN")
    assert at(_now, MONDAY) == 0
    assert ScheduledStart.objects.get().state == "WAITING" and "DOWN" in ScheduledStart.objects.get().why
    Account.objects.update(link="UP")
    assert at(_now, MONDAY + timedelta(seconds=2)) == 0, "it was tried a moment ago"
    assert at(_now, MONDAY + timedelta(seconds=20)) == 1


def test_after_the_latest_time_it_is_missed_and_rings_once(_now):
    scheduled()
    Account.objects.update(link="DOWN")
    at(_now, MONDAY)
    Account.objects.update(link="UP")
    assert at(_now, MONDAY + timedelta(minutes=5)) == 0
    assert at(_now, MONDAY + timedelta(minutes=6)) == 0
    assert ScheduledStart.objects.get().state == "MISSED" and not Run.objects.exists()
    assert Alarm.objects.filter(kind="SCHEDULE_MISSED").count() == 1


def test_a_day_nobody_looked_is_said_the_next_time(_now):
    scheduled()
    at(_now, MONDAY + timedelta(days=1, hours=-1))
    assert [(row.trading_day, row.state) for row in ScheduledStart.objects.all()] == [(MONDAY.date(), "MISSED")]
    at(_now, MONDAY + timedelta(days=1, minutes=-50))
    assert Alarm.objects.filter(kind="SCHEDULE_MISSED").count() == 1


@pytest.mark.parametrize(
    "terms",
    [
        replace(TIMES, weekdays=(1, 2, 3, 4)),
        replace(TIMES, days_to_expiry_max=0),
        replace(TIMES, days_to_expiry_min=2),
    ],
)
def test_other_days_pass_in_silence(_now, terms):
    scheduled(terms)
    for minutes in (0, 1, 10):
        assert at(_now, MONDAY + timedelta(minutes=minutes)) == 0
    assert not ScheduledStart.objects.exists() and not Alarm.objects.exists()


def test_a_holiday_is_no_trading_day(_now):
    scheduled()
    Holiday.objects.create(exchange="NFO", date=MONDAY.date(), name="Holiday")
    assert at(_now, MONDAY) == 0 and not ScheduledStart.objects.exists()


def test_a_window_that_was_over_when_it_was_switched_on_is_nobodys(_now):
    _now.set(MONDAY + timedelta(hours=1))
    stage.market()
    scheduled()
    assert at(_now, MONDAY + timedelta(hours=1, minutes=1)) == 0 and not ScheduledStart.objects.exists()


def test_the_days_filter_lets_its_days_in(_now):
    scheduled(replace(TIMES, days_to_expiry_min=1, days_to_expiry_max=1))
    assert at(_now, MONDAY) == 1


def test_a_run_of_the_day_that_was_started_before_a_crash_is_found_again(_now):
    scheduled()
    at(_now, MONDAY)
    run = Run.objects.get()
    ScheduledStart.objects.update(state="WAITING", run=None, tried_at=None)
    assert at(_now, MONDAY + timedelta(seconds=30)) == 1
    assert Run.objects.count() == 1 and ScheduledStart.objects.get().run == run


def test_switching_needs_times_and_is_said(_now):
    version = stage.saved([stage.account(5)], name="By hand")
    with pytest.raises(Refused) as refused:
        schedules.switch(version.strategy, on=True, by="user:alice")
    assert "entry_time" in refused.value.fields
    strategy = scheduled()
    assert schedules.switch(strategy, on=False, by="user:alice")
    assert at(_now, MONDAY) == 0 and not Run.objects.exists()


def test_the_beat_only_enqueues(_now, monkeypatch):
    asked = []
    monkeypatch.setattr("algomirror.ops.queue.enqueue", lambda cluster, task, *ids, **more: asked.append((cluster, task)))
    beats.enqueue()
    assert asked == []
    scheduled()
    beats.enqueue()
    assert asked == [("signals", "strategies.tasks.scheduled")] and clock.now()


def test_the_list_says_when_it_begins_next_and_what_became_of_the_last_day(_now, client):
    strategy = scheduled()
    client.force_login(stage.alice())
    assert "next 23 Nov 09:20:00" in " ".join(text_of(client.get("/strategies")).split())
    Account.objects.update(link="DOWN")
    at(_now, MONDAY)
    at(_now, MONDAY + timedelta(minutes=6))
    page = " ".join(text_of(client.get("/strategies")).split())
    assert "next 24 Nov 09:20:00" in page and "missed" in page and "not UP" in page
    schedules.switch(strategy, on=False, by="user:alice")
    assert "next 24" not in text_of(client.get("/strategies"))


def test_the_dashboard_says_what_the_clock_does_next(_now, client):
    strategy = scheduled()
    client.force_login(stage.alice())
    page = text_of(client.get("/dashboard/body"))
    assert "23 Nov 09:20:00" in page and ">Morning begins</a>" in page
    at(_now, MONDAY)
    run = Run.objects.get()
    shown = timed_acts(open_runs())
    assert [(one.text, one.url) for one in shown] == [
        (f"{strategy.name} begins", f"/strategies/{strategy.pk}/edit"),
        (f"{run.name} leaves: expiry", f"/runs/{run.pk}"),
    ]
    assert shown[0].at == MONDAY + timedelta(days=1)
    GuardState.objects.filter(run=run).update(state="TRIPPED")
    assert len(timed_acts(open_runs())) == 1, "what has acted does not act again"
    schedules.switch(strategy, on=False, by="user:alice")
    assert timed_acts(open_runs()) == []


def _of_a_trader(accounts: int = 1) -> Strategy:
    strategy = scheduled(accounts=accounts)
    Strategy.objects.filter(pk=strategy.pk).update(owner=stage.person("tara", "TRADER"))
    return strategy


@pytest.mark.parametrize("change", [{"role": "VIEWER"}, {"is_active": False}])
def test_nothing_is_started_for_whom_may_not_trade_any_more(_now, change):
    strategy = _of_a_trader()
    User.objects.filter(username="tara").update(**change)
    assert at(_now, MONDAY) == 0 and not Run.objects.exists()
    row = ScheduledStart.objects.get(strategy=strategy)
    assert row.state == "WAITING" and "tara may not trade" in row.why
    at(_now, MONDAY + timedelta(minutes=5))
    assert "tara may not trade" in Alarm.objects.get(kind="SCHEDULE_MISSED").text


def test_nothing_is_started_on_an_account_that_was_taken_from_its_trader(_now):
    strategy = _of_a_trader(accounts=2)
    first = Account.objects.order_by("pk").first()
    assert first is not None
    people.assign(stage.alice(), User.objects.get(username="tara").pk, [first.pk])
    assert at(_now, MONDAY) == 0 and not Run.objects.exists()
    assert ScheduledStart.objects.get(strategy=strategy).state == "WAITING"
