"""Work put on a queue does not come out: its cluster dies again and again, or every worker hangs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from algomirror.kernel import clock
from algomirror.ops import beats, canary
from algomirror.ops.alerts.classes import CRITICAL, class_of
from algomirror.ops.models import Alarm

pytestmark = pytest.mark.django_db


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> Iterator[clock.FrozenClock]:
    monkeypatch.setattr(beats, "_asked_since", None)
    with clock.use(clock.FrozenClock(datetime(2026, 11, 20, 5, 0, tzinfo=UTC))) as still:
        assert isinstance(still, clock.FrozenClock)
        yield still


def _beats(frozen: clock.FrozenClock, seconds: int, *, working: Any) -> None:
    for _ in range(seconds // 2):
        beats.enqueue()
        for cluster in working:
            canary.answer(cluster)
        frozen.advance(2)


@pytest.mark.parametrize(("dead", "within_s"), [("risk", 40), ("orders", 50), ("signals", 140)])
def test_who_answers_nothing_rings_and_the_others_do_not(frozen: clock.FrozenClock, dead: str, within_s: int) -> None:
    living = {"risk", "orders", "signals"} - {dead}
    _beats(frozen, 20, working=living)
    assert not Alarm.objects.exists()
    _beats(frozen, within_s - 20, working=living)
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.key) == ("CLUSTER_SILENT", f"CLUSTER_SILENT:{dead}")
    assert class_of(alarm.kind) in CRITICAL


def test_after_a_night_switched_off_nobody_is_blamed_for_it(frozen: clock.FrozenClock) -> None:
    everybody = ("risk", "orders", "signals")
    _beats(frozen, 10, working=everybody)
    frozen.advance(12 * 3600)
    beats._asked_since = None  # another process
    beats.enqueue()
    frozen.advance(10)
    _beats(frozen, 60, working=everybody)
    assert not Alarm.objects.exists()
