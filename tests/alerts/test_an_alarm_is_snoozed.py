from __future__ import annotations

import pytest
from django.test import Client

from algomirror.frame import dashboard
from algomirror.kernel.clock import FrozenClock
from algomirror.kernel.errors import Refused
from algomirror.ops import alarms
from algomirror.ops.alerts import deliver
from algomirror.ops.alerts.models import AlertDelivery, AlertRule
from algomirror.ops.models import Alarm, Journal
from tests import cast
from tests.alerts import far
from tests.alerts.test_alarms_reach_people import webhook
from tests.page_rules import inline_parts

pytestmark = pytest.mark.django_db
CRITICAL, CALM = "EXIT_STUCK", "INSTRUMENTS_OLD"


def ring(kind: str) -> Alarm:
    alarms.ring(kind, "It rings.")
    return Alarm.objects.get(kind=kind)


def channel(inbox: far.Inbox) -> None:
    made = webhook(inbox)
    AlertRule.objects.get_or_create(channel=made, event_class="EXIT")


def browser() -> Client:
    return cast.signed_in(cast.alice())


@pytest.mark.parametrize(("kind", "most"), [(CRITICAL, 15), (CALM, 1_440)])
def test_each_class_has_its_longest_silence(kind: str, most: int, now: FrozenClock) -> None:
    alarm = ring(kind)
    for minutes in (0, -1, most + 1):
        with pytest.raises(Refused) as refused:
            alarms.snooze(alarm.pk, minutes, who="user:alice")
        assert str(most) in refused.value.fields["minutes"]
    assert alarms.snooze(alarm.pk, most, who="user:alice")
    assert not alarms.ringing().exists()
    now.advance(most * 60 - 1)
    assert not alarms.ringing().exists()
    now.advance(1)
    assert list(alarms.ringing()) == [alarm]


def test_who_silenced_it_is_journaled_and_an_acknowledged_one_is_left_alone() -> None:
    alarm = ring(CRITICAL)
    alarms.snooze(alarm.pk, 5, who="user:alice")
    row = Journal.objects.get(kind="alarm.snoozed")
    assert (row.actor, row.numbers["minutes"]) == ("user:alice", 5)
    alarms.acknowledge(alarm.pk, who="user:alice")
    assert not alarms.snooze(alarm.pk, 5, who="user:alice")
    with pytest.raises(Refused):
        alarms.snooze(10**9, 5, who="user:alice")


def test_the_same_trouble_seen_again_does_not_wake_it(now: FrozenClock) -> None:
    alarm = ring(CRITICAL)
    alarms.snooze(alarm.pk, 10, who="user:alice")
    alarms.ring(CRITICAL, "It rings.")
    assert not alarms.ringing().exists()
    alarm.refresh_from_db()
    assert alarm.seen_times == 2


def test_nothing_is_sent_meanwhile_and_it_is_repeated_after(inbox: far.Inbox, now: FrozenClock) -> None:
    channel(inbox)
    alarm = ring(CRITICAL)
    assert deliver.run() == 1
    alarms.snooze(alarm.pk, 10, who="user:alice")
    now.advance(300)
    assert deliver.run() == 0
    now.advance(301)
    assert deliver.run() == 1
    alarm.refresh_from_db()
    assert alarm.snoozed_until is None


def test_what_waited_to_be_sent_waits_on(inbox: far.Inbox, now: FrozenClock) -> None:
    channel(inbox)
    alarm = ring(CRITICAL)
    deliver.plan()
    alarms.snooze(alarm.pk, 10, who="user:alice")
    assert deliver.send_due() == 0
    assert AlertDelivery.objects.get().state == "WAITING"
    now.advance(601)
    assert deliver.run() >= 1


def test_the_pages_stop_ringing_and_say_until_when(now: FrozenClock) -> None:
    alarm, client = ring(CRITICAL), browser()
    assert b"Snooze 15 min" in client.get("/alerts/tray").content
    assert client.post(f"/alerts/{alarm.pk}/snooze", {"minutes": "15"}).status_code == 204
    assert b"It rings." not in client.get("/alerts/tray").content
    page = client.get("/alerts")
    assert b"Silent until" in page.content and b"It rings." in page.content and inline_parts(page) == []
    assert dashboard.live_values()["frame:alarms"] == 0
    now.advance(901)
    assert b"It rings." in client.get("/alerts/tray").content


@pytest.mark.parametrize("minutes", ["", "0", "16", "x", "99999999"])
def test_a_wrong_time_is_refused_by_name(minutes: str) -> None:
    answer = browser().post(f"/alerts/{ring(CRITICAL).pk}/snooze", {"minutes": minutes})
    assert answer.status_code == 422
    assert "1 to 15" in answer.content.decode()


def test_the_api_snoozes_too() -> None:
    alarm, client = ring(CRITICAL), browser()
    url, json = f"/api/v1/alerts/{alarm.pk}/snooze", "application/json"
    answer = client.post(url, {"minutes": 5}, json, headers={"Idempotency-Key": "k1"})
    assert (answer.status_code, answer.json()["snoozed"]) == (202, True)
    wrong = client.post(url, {"minutes": 16}, json, headers={"Idempotency-Key": "k2"})
    assert wrong.status_code == 400 and "15" in wrong.json()["error"]["fields"]["minutes"]
    assert client.get("/api/v1/alerts").json()["results"][0]["snoozed_until"] is not None
