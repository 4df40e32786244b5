"""The cluster that sends alerts is dead, or Redis is: what rings reaches people all the same."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from algomirror.kernel.clock import FrozenClock
from algomirror.ops import alarms, beats, canary, queue
from algomirror.ops.alerts import channels, deliver, standin
from tests.alerts import far
from tests.patience import wait_for

NEVER = (None, None)


@pytest.fixture(autouse=True)
def _told(transactional_db: None, inbox: far.Inbox) -> None:
    queue.client().flushdb()
    channels.make("WEBHOOK", "pager", {"url": f"{inbox.url}/in"}, quiet=NEVER, by="user:alice")


def _rings() -> None:
    alarms.ring("FEED_DOWN", "no prices", key="feed")


def _has_told() -> None:
    wait_for(lambda: not standin._at_work.locked(), "the alerts to be sent", every_s=0.02)


def test_a_dead_cluster_keeps_nobody_from_hearing(inbox: far.Inbox, now: FrozenClock) -> None:
    canary.ask("signals")
    now.advance(21)
    canary.ask("signals")
    _rings()
    beats.tell()
    _has_told()
    assert [said["kind"] for said in inbox.bodies()] == ["FEED_DOWN"]
    assert deliver.run() == 0, "the cluster that comes back sends it again"


def test_without_redis_it_is_sent_too(inbox: far.Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise redis.ConnectionError

    monkeypatch.setattr(canary, "age_s", away)
    _rings()
    beats.tell()
    _has_told()
    assert len(inbox.posts) == 1


def test_while_the_cluster_works_it_is_left_to_it(inbox: far.Inbox, now: FrozenClock) -> None:
    canary.ask("signals")
    now.advance(5)
    canary.answer("signals")
    _rings()
    beats.tell()
    _has_told()
    assert inbox.posts == []
