"""The same trouble rings once while it lasts. When it comes back hours later it is news, acknowledged before or not."""

from __future__ import annotations

import pytest

from algomirror.kernel.clock import FrozenClock
from algomirror.ops import alarms
from algomirror.ops.alerts import channels, deliver
from algomirror.ops.models import Alarm
from tests.alerts import far

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def told(inbox: far.Inbox) -> None:
    channels.make("WEBHOOK", "pager", {"url": f"{inbox.url}/in"}, quiet=(None, None), by="user:alice")


def minutes(now: FrozenClock, number: int) -> None:
    for _ in range(number):
        now.advance(60)
        deliver.run()


def test_what_rang_out_in_the_morning_rings_again_in_the_afternoon(inbox: far.Inbox, now: FrozenClock) -> None:
    alarms.ring("BLIND", "no price at ten", run_id=7)
    minutes(now, 60)
    rounds = len(inbox.posts)
    assert rounds == deliver.MOST_ROUNDS
    minutes(now, 120)
    assert len(inbox.posts) == rounds
    alarms.ring("BLIND", "no price at one", run_id=7)
    deliver.run()
    assert len(inbox.posts) == rounds + 1 and "no price at one" in inbox.bodies()[-1]["text"]
    (ringing,) = alarms.ringing()
    assert ringing.text == "no price at one" and ringing.seen_times == 1
    assert Alarm.objects.exclude(pk=ringing.pk).get().acknowledged_by == "nobody: it rang anew"
    minutes(now, 5)
    assert len(inbox.posts) == rounds + 6


def test_what_goes_on_is_the_same_trouble(inbox: far.Inbox, now: FrozenClock) -> None:
    for _ in range(90):
        alarms.ring("BLIND", "no price", run_id=7)
        minutes(now, 1)
    assert Alarm.objects.get().seen_times == 90 and len(inbox.posts) == deliver.MOST_ROUNDS


def test_what_costs_no_money_is_told_once_until_it_is_acknowledged(inbox: far.Inbox, now: FrozenClock) -> None:
    alarms.ring("REFERENCE_DISPUTED", "lots differ")
    minutes(now, 60)
    alarms.ring("REFERENCE_DISPUTED", "lots differ")
    minutes(now, 2)
    assert len(inbox.posts) == 1 and Alarm.objects.count() == 1
