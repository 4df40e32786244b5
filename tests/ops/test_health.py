from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from algomirror.kernel import clock
from algomirror.ops import canary, heartbeat, lease
from algomirror.ops.models import Heartbeat

pytestmark = pytest.mark.django_db


def _all_well(settings: Any) -> None:
    lease.acquire("metronome", seconds=60)
    heartbeat.beat("metronome")
    for cluster in settings.CLUSTERS:
        canary.answer(cluster)


def test_a_stranger_may_ask_whether_the_process_is_alive(client: Client) -> None:
    reply = client.get("/healthz")
    assert (reply.status_code, reply.json()) == (200, {"alive": True})


def test_it_is_ready_when_every_part_gives_signs_of_life(client: Client, settings: Any) -> None:
    _all_well(settings)
    reply = client.get("/readyz")
    assert reply.status_code == 200, reply.json()
    assert set(reply.json()["parts"]) == {
        "database", "redis", "metronome", "feed", "cluster risk", "cluster orders", "cluster signals"
    }  # fmt: skip


@pytest.mark.parametrize("cluster", ["risk", "orders", "signals"])
def test_it_is_not_ready_while_a_queue_does_not_move(client: Client, settings: Any, cluster: str) -> None:
    _all_well(settings)
    canary.queue.client().delete(f"am:canary:{cluster}")
    reply = client.get("/readyz")
    assert reply.status_code == 503
    assert [name for name, part in reply.json()["parts"].items() if not part["ok"]] == [f"cluster {cluster}"]


@pytest.mark.parametrize("name", ["metronome", "feed"])
def test_it_is_not_ready_when_a_heart_stopped(client: Client, settings: Any, name: str) -> None:
    _all_well(settings)
    heartbeat.beat(name)
    Heartbeat.objects.filter(name=name).update(at=clock.now() - timedelta(seconds=15.5))
    reply = client.get("/readyz")
    assert reply.status_code == 503
    assert [n for n, part in reply.json()["parts"].items() if not part["ok"]] == [name]


def test_nobody_can_post_to_it(client: Client) -> None:
    assert client.post("/healthz").status_code == 405
    assert client.post("/readyz").status_code == 405
