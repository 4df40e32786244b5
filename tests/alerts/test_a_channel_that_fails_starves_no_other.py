from __future__ import annotations

import pytest

from algomirror.kernel import clock
from algomirror.kernel.clock import FrozenClock
from algomirror.ops import alarms
from algomirror.ops.alerts import channels, deliver
from algomirror.ops.alerts.models import AlertDelivery
from algomirror.ops.models import Alarm
from tests.alerts import far

pytestmark = pytest.mark.django_db
NEVER = (None, None)


def test_what_waits_for_a_dead_channel_stands_before_nobody(inbox: far.Inbox) -> None:
    """Twenty alarms that nobody acknowledged, repeated for a quarter of an hour: hundreds of rows for a dead channel."""
    dead = channels.make("WEBHOOK", "dead", {"url": "http://127.0.0.1:9/in"}, quiet=NEVER, by="user:alice")
    for n in range(20):
        alarms.ring("BLIND", f"old {n}", key=str(n))
    deliver.run()
    waiting = [
        AlertDelivery(alarm=alarm, channel=dead, round=number, not_before=clock.now())
        for alarm in Alarm.objects.all()
        for number in range(1, 15)
    ]
    AlertDelivery.objects.bulk_create(waiting)
    channels.make("WEBHOOK", "pager", {"url": f"{inbox.url}/in"}, quiet=NEVER, by="user:alice")
    alarms.ring("STOP_TRIPPED", "the stop acted", run_id=7)
    deliver.run()
    assert [said["text"].splitlines()[0] for said in inbox.bodies() if said["run"] == 7] == ["the stop acted"]


def test_channels_that_hang_are_tried_after_those_that_answer(
    inbox: far.Inbox, now: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each hanging call takes its five seconds of the eight that one look has."""
    from algomirror.ops.alerts import wire

    for n in range(2):
        channels.make("WEBHOOK", f"a hanging one {n}", {"url": "http://127.0.0.1:9/in"}, quiet=NEVER, by="user:alice")
    channels.make("WEBHOOK", "pager", {"url": f"{inbox.url}/in"}, quiet=NEVER, by="user:alice")
    post = wire._post

    def hangs(url: str, *rest: object, **more: object) -> None:
        if ":9/" in url:
            now.advance(5)
        post(url, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(wire, "_post", hangs)
    alarms.ring("BLIND", "first")
    deliver.run()
    for n in range(5):
        alarms.ring("BLIND", f"next {n}", key=str(n))
    deliver.run()
    assert {said["text"].splitlines()[0] for said in inbox.bodies()} >= {f"next {n}" for n in range(5)}
