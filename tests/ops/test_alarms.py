from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from algomirror.ops import alarms
from algomirror.ops.models import Alarm, Journal
from tests.patience import PATIENCE_S


@pytest.mark.django_db
def test_the_same_trouble_rings_once_and_counts() -> None:
    for loss in ("-1", "-2", "-3"):
        alarms.ring("BLIND", f"no price, loss {loss}", run_id=7, loss=loss)
    alarm = Alarm.objects.get()
    assert (alarm.seen_times, alarm.text, alarm.numbers) == (3, "no price, loss -3", {"loss": "-3"})


@pytest.mark.django_db
def test_troubles_of_different_runs_ring_apart() -> None:
    alarms.ring("BLIND", "no price", run_id=7)
    alarms.ring("BLIND", "no price", run_id=8)
    assert Alarm.objects.count() == 2


@pytest.mark.django_db
def test_it_rings_again_after_a_person_acknowledged_it() -> None:
    alarms.ring("BLIND", "no price", run_id=7)
    first = Alarm.objects.get()
    assert alarms.acknowledge(first.pk, who="user:alice")
    assert not alarms.acknowledge(first.pk, who="user:bob")
    alarms.ring("BLIND", "no price again", run_id=7)
    first.refresh_from_db()
    assert (first.state, first.acknowledged_by) == ("ACKNOWLEDGED", "user:alice")
    assert Alarm.objects.filter(state="NEW").count() == 1
    assert Journal.objects.filter(kind="alarm.acknowledged").count() == 1


@pytest.mark.django_db(transaction=True)
def test_eight_that_see_the_trouble_at_once_ring_once() -> None:
    start = Barrier(8)

    def see(_: int) -> None:
        start.wait(PATIENCE_S)
        try:
            alarms.ring("BLIND", "no price", run_id=7)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(see, range(8)))
    assert Alarm.objects.get().seen_times == 8
