"""Twenty minutes after the close an account's day is told: once, whoever is racing, and never for a day without anything."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from importlib import import_module
from threading import Barrier
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, connections

from accounts.models import Account
from accounts.services import people
from algomirror.kernel import clock
from algomirror.ops import alarms, queue
from algomirror.ops.alerts import channels, deliver
from algomirror.ops.alerts.models import AlertDelivery, AlertRule
from algomirror.ops.models import Alarm, Journal
from marketdata import calendar
from marketdata.models import Holiday, SpecialSession
from strategies import beats, tasks
from strategies.models import DayTold
from strategies.services import reporting
from tests import cast, page_rules
from tests.alerts import far
from tests.patience import PATIENCE_S
from tests.strategies import stage

FRIDAY = date(2026, 11, 20)
# The stage's exchanges close at 15:30 in India.
DUE = datetime(2026, 11, 20, 10, 20, tzinfo=UTC)
NEVER = (None, None)


@pytest.fixture
def now(db: None) -> Any:
    frozen = clock.FrozenClock(cast.FRIDAY)
    with clock.use(frozen):
        stage.market()
        yield frozen


@pytest.fixture
def inbox(settings: Any) -> Any:
    with far.http() as found:
        settings.PUBLIC_URL = "https://desk.example.org"
        channels.make("WEBHOOK", "pager", {"url": f"{found.url}/in"}, quiet=NEVER, by="user:alice")
        yield found


def round_trip(of: Account) -> None:
    position = cast.position(cast.book(of, cast.run()), price="104.00")
    cast.fill(cast.order(position.book, action="BUY", purpose="EXIT"), price="100.00")


def test_it_is_told_twenty_minutes_after_the_close_and_not_a_second_before(now: clock.FrozenClock, inbox: far.Inbox) -> None:
    anil = cast.account()
    round_trip(anil)
    now.set(DUE - timedelta(seconds=1))
    assert reporting.sweep() == 0 and reporting.waiting() is None
    now.set(DUE)
    assert reporting.sweep() == 1
    assert deliver.run() == 1
    said = inbox.bodies()[0]
    assert said["class"] == "REPORT" and said["account"] == anil.pk
    assert "Zerodha Anil (paper), Fri 20 Nov: net ₹" in said["text"]
    assert "realised ₹260.00" in said["text"] and "2 orders, 2 fills, 0 turned away; nothing carried" in said["text"]
    assert said["numbers"]["STT"] == "₹10.14" and said["numbers"]["Brokerage"] == "₹40.00"
    assert f"https://desk.example.org/reports?account={anil.pk}&day=2026-11-20" in said["text"]


def test_the_link_leads_to_the_page_with_the_same_net(now: clock.FrozenClock, inbox: far.Inbox) -> None:
    round_trip(cast.account())
    now.set(DUE)
    reporting.sweep()
    alarm = Alarm.objects.get()
    net = alarm.text.partition("net ₹")[2].partition(";")[0]
    assert net.startswith("19")
    assert f"₹{net}" in page_rules.text_of(cast.signed_in(cast.bob()).get(deliver.page_of(alarm)))
    assert deliver.page_of(alarm).replace("&", "&amp;") in page_rules.text_of(cast.signed_in(cast.bob()).get("/alerts"))


def test_it_is_told_once_however_often_somebody_looks(now: clock.FrozenClock, inbox: far.Inbox) -> None:
    round_trip(cast.account())
    now.set(DUE)
    for _ in range(3):
        reporting.sweep()
        deliver.run()
        now.advance(70)
    assert (DayTold.objects.count(), Alarm.objects.count(), len(inbox.posts)) == (1, 1, 1)
    assert Journal.objects.filter(kind="report.told").count() == 1


def test_it_does_not_ring_repeat_or_wait_for_anybody(now: clock.FrozenClock, inbox: far.Inbox) -> None:
    round_trip(cast.account())
    now.set(DUE)
    reporting.sweep()
    assert not alarms.ringing().exists()
    assert not alarms.acknowledge(Alarm.objects.get().pk, who="user:alice")


def test_it_says_whether_the_broker_agrees_and_how_old_that_is(now: clock.FrozenClock) -> None:
    anil, bina, chet = (cast.account(name) for name in ("Anil", "Bina", "Chet"))
    cast.read(bina, "POSITIONS", [])
    now.advance(10)
    for account in (anil, bina, chet):
        cast.position(cast.book(account, cast.run()), price="104.00")
    now.set(DUE)
    cast.read(anil, "POSITIONS", [cast.shown(cast.CALL, -65)], ago_s=240)
    cast.read(chet, "POSITIONS", [cast.shown(cast.CALL, 65)], ago_s=60, error="timed out")
    reporting.sweep()
    said = {row.account_id: row.text.rpartition("; ")[2] for row in Alarm.objects.all()}
    assert said[anil.pk] == "broker's books of 4 minutes ago: everything is explained."
    assert said[bina.pk].endswith("minutes ago: too old to tell.")
    assert said[chet.pk] == "broker's books of 1 minute ago: not everything is explained, the last reading failed."


def test_each_account_has_its_own(now: clock.FrozenClock) -> None:
    anil, bina = cast.account("Anil"), cast.account("Bina")
    round_trip(anil)
    round_trip(bina)
    now.set(DUE)
    assert reporting.sweep() == 2
    assert {row.account_id for row in Alarm.objects.all()} == {anil.pk, bina.pk}
    bob = cast.bob()
    people.assign(cast.alice(), bob.pk, [anil.pk])
    shown = page_rules.text_of(cast.signed_in(bob).get("/alerts"))
    assert "Anil (paper)" in shown and "Bina" not in shown


def test_a_day_without_anything_sends_nothing(now: clock.FrozenClock) -> None:
    cast.account()
    now.set(DUE)
    assert reporting.sweep() == 0 and not Alarm.objects.exists()


def test_an_order_that_was_only_turned_away_is_something(now: clock.FrozenClock) -> None:
    cast.order(cast.book(cast.account(), cast.run()), state="REJECTED", reason="no margin")
    now.set(DUE)
    assert reporting.sweep() == 1
    assert "1 order, 0 fills, 1 turned away" in Alarm.objects.get().text


def test_a_position_that_only_lies_there_is_something_and_its_price_is_said_unknown(now: clock.FrozenClock) -> None:
    anil = cast.account()
    now.advance(-86_400)
    cast.position(cast.book(anil, cast.run()), price="104.00")
    now.set(DUE)
    assert reporting.sweep() == 1
    assert "1 carried, open unknown" in Alarm.objects.get().text


def test_what_was_opened_after_the_day_does_not_bring_the_day_back(now: clock.FrozenClock) -> None:
    """On Monday morning Friday is looked at once, and nothing was there."""
    now.set(datetime(2026, 11, 23, 4, 0, tzinfo=UTC))
    cast.position(cast.book(cast.account(), cast.run()), price="104.00")
    assert reporting.sweep() == 0
    assert [(row.trading_day, row.was_told) for row in DayTold.objects.all()] == [(FRIDAY, False)]
    assert reporting.waiting() is None and not Alarm.objects.exists()


def test_after_a_night_without_us_the_newest_day_is_told_and_no_older_one(now: clock.FrozenClock) -> None:
    anil = cast.account()
    now.advance(-86_400)
    round_trip(anil)
    now.advance(86_400)
    round_trip(anil)
    now.set(datetime(2026, 11, 22, 4, 0, tzinfo=UTC))
    assert reporting.sweep() == 1
    assert DayTold.objects.get().trading_day == FRIDAY


def test_a_special_session_is_waited_for(now: clock.FrozenClock) -> None:
    SpecialSession.objects.create(
        exchange="NFO", date=FRIDAY, name="Muhurat", opens=time(9, 15), closes=time(19, 15), confirmed=True
    )
    calendar.forget()
    round_trip(cast.account())
    now.set(DUE)
    calendar.forget()
    assert reporting.sweep() == 0
    now.set(datetime(2026, 11, 20, 14, 5, tzinfo=UTC))
    calendar.forget()
    assert reporting.sweep() == 1


def test_on_a_holiday_nothing_is_told(now: clock.FrozenClock) -> None:
    anil = cast.account()
    now.advance(-86_400)
    cast.position(cast.book(anil, cast.run()), price="104.00")
    for exchange in ("NFO", "BFO"):
        Holiday.objects.update_or_create(exchange=exchange, date=FRIDAY, defaults={"name": "Strike"})
    calendar.forget()
    now.set(DUE)
    reporting.sweep()
    assert [row.trading_day for row in DayTold.objects.all()] == [FRIDAY - timedelta(days=1)]


def test_a_crash_before_the_commit_tells_nothing_and_the_next_look_tells_it(now: clock.FrozenClock, monkeypatch: Any) -> None:
    round_trip(cast.account())
    now.set(DUE)

    def dies(*_: Any, **__: Any) -> None:
        raise RuntimeError("the process died")

    with monkeypatch.context() as patched:
        patched.setattr("strategies.services.reporting.journal.record", dies)
        assert reporting.sweep() == 0
    assert not DayTold.objects.exists() and not Alarm.objects.exists()
    assert reporting.sweep() == 1


def test_who_was_overtaken_while_computing_tells_nothing(now: clock.FrozenClock, monkeypatch: Any) -> None:
    round_trip(cast.account())
    now.set(DUE)
    real = reporting.beside

    def overtaken(account: Account) -> Any:
        DayTold.objects.create(account=account, trading_day=FRIDAY, at=clock.now(), was_told=True)
        return real(account)

    monkeypatch.setattr(reporting, "beside", overtaken)
    assert reporting.sweep() == 0
    assert not Alarm.objects.exists() and not Journal.objects.filter(kind="report.told").exists()


def test_a_restart_between_telling_and_sending_loses_nothing(now: clock.FrozenClock, inbox: far.Inbox) -> None:
    round_trip(cast.account())
    now.set(DUE)
    reporting.sweep()
    assert AlertDelivery.objects.get().state == "WAITING" and inbox.posts == []
    now.advance(3600)
    assert reporting.sweep() == 0
    assert deliver.run() == 1 and deliver.run() == 0
    assert len(inbox.posts) == 1


def test_a_channel_that_does_not_carry_reports_gets_none(now: clock.FrozenClock, inbox: far.Inbox) -> None:
    AlertRule.objects.filter(event_class="REPORT").delete()
    round_trip(cast.account())
    now.set(DUE)
    assert reporting.sweep() == 1
    assert deliver.run() == 0 and inbox.posts == []
    assert "End-of-day reports" in page_rules.text_of(cast.signed_in(cast.alice()).get("/alerts/settings"))


def test_channels_of_before_carry_reports_where_they_carry_everything_else(now: clock.FrozenClock, inbox: far.Inbox) -> None:
    quiet = channels.make("BROWSER", "quiet", {}, quiet=NEVER, by="user:alice")
    AlertRule.objects.filter(event_class="REPORT").delete()
    AlertRule.objects.filter(channel=quiet, event_class="OTHER").delete()
    migration = import_module("algomirror.ops.migrations.0010_channels_carry_reports")
    migration.carry(apps, None)
    migration.carry(apps, None)
    assert list(AlertRule.objects.filter(event_class="REPORT").values_list("channel__name", flat=True)) == ["pager"]
    migration.drop(apps, None)
    assert not AlertRule.objects.filter(event_class="REPORT").exists()


def test_quiet_hours_hold_a_report_back(now: clock.FrozenClock) -> None:
    channels.make("BROWSER", "evening", {}, quiet=(time(15, 0), time(18, 0)), by="user:alice")
    round_trip(cast.account())
    now.set(DUE)
    reporting.sweep()
    assert AlertDelivery.objects.get().not_before == datetime(2026, 11, 20, 12, 30, tzinfo=UTC)


def test_only_news_is_told_so(now: clock.FrozenClock) -> None:
    with pytest.raises(ValueError, match="has to ring"):
        deliver.tell("EXIT_STUCK", "stuck", key="1")


def test_the_beat_asks_for_it_once(now: clock.FrozenClock, monkeypatch: Any) -> None:
    asked: list[str] = []
    monkeypatch.setattr(queue, "enqueue", lambda cluster, task, **_: asked.append(f"{cluster} {task}"))
    round_trip(cast.account())
    beats.report()
    now.set(DUE)
    beats.report()
    assert asked == ["signals strategies.tasks.report"]
    tasks.report()
    beats.report()
    assert len(asked) == 1 and DayTold.objects.get().was_told


@pytest.mark.django_db(transaction=True)
def test_two_processes_that_look_at_once_tell_it_once(settings: Any) -> None:
    start = Barrier(2)
    with clock.use(clock.FrozenClock(cast.FRIDAY)) as frozen, far.http() as inbox:
        assert isinstance(frozen, clock.FrozenClock)
        stage.market()
        channels.make("WEBHOOK", "pager", {"url": f"{inbox.url}/in"}, quiet=NEVER, by="user:alice")
        for name in ("Anil", "Bina", "Chet"):
            round_trip(cast.account(name))
        frozen.set(DUE)

        def look(_: int) -> int:
            start.wait(PATIENCE_S)
            try:
                told = reporting.sweep()
                deliver.run()
                return told
            finally:
                if connection.vendor != "sqlite":
                    connections.close_all()

        with ThreadPoolExecutor(2) as pool:
            told = sum(pool.map(look, range(2)))
        deliver.run()
        assert told == 3
        assert (DayTold.objects.count(), Alarm.objects.count(), AlertDelivery.objects.count()) == (3, 3, 3)
        assert sorted(body["account"] for body in inbox.bodies()) == sorted(Account.objects.values_list("pk", flat=True))
