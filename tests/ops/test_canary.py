from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from algomirror.kernel import clock
from algomirror.ops import beats, canary, queue


@pytest.fixture
def frozen() -> Iterator[clock.FrozenClock]:
    with clock.use(clock.FrozenClock(datetime(2026, 11, 20, 4, 0, tzinfo=UTC))) as still:
        assert isinstance(still, clock.FrozenClock)
        yield still


def test_silence_is_unknown_before_the_first_question() -> None:
    assert canary.silent_s("risk") is None
    assert canary.age_s("risk") is None


def test_silence_grows_with_every_unanswered_question(frozen: clock.FrozenClock) -> None:
    canary.ask("risk")
    assert canary.silent_s("risk") == 0
    frozen.advance(8)
    canary.ask("risk")
    assert canary.silent_s("risk") == 8
    canary.answer("risk")
    assert canary.silent_s("risk") == 0
    assert canary.age_s("risk") == 0


def test_a_metronome_that_stops_asking_does_not_make_the_cluster_look_dead(frozen: clock.FrozenClock) -> None:
    canary.ask("risk")
    canary.answer("risk")
    frozen.advance(3600)
    assert canary.silent_s("risk") == 0


def test_a_new_process_is_not_blamed_for_its_predecessor(frozen: clock.FrozenClock) -> None:
    canary.ask("risk")
    frozen.advance(100)
    canary.ask("risk")
    assert canary.silent_s("risk", since=clock.now().timestamp() - 4) == 4


def test_the_beat_asks_every_cluster_through_its_own_queue() -> None:
    beats.enqueue()
    for cluster in ("risk", "orders", "signals"):
        assert queue.client().llen(f"django_q:{cluster}:q") >= 1
