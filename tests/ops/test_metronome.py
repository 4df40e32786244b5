from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import ModuleType

import pytest

from algomirror.kernel import clock
from algomirror.ops import heartbeat, lease, metronome
from algomirror.ops.metronome import Metronome
from algomirror.ops.models import Alarm, Heartbeat, Lease

pytestmark = pytest.mark.django_db
START = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)


class Room(ModuleType):
    """A room whose beats write down when they were given."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.beats: list[float] = []

    def enqueue(self) -> None:
        self.beats.append((clock.now() - START).total_seconds())

    def fail(self) -> None:
        raise ValueError("this room is broken")


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    room = Room("a_room_of_the_tests")
    monkeypatch.setitem(sys.modules, room.__name__, room)
    return room


@pytest.fixture
def frozen() -> Iterator[clock.FrozenClock]:
    with clock.use(clock.FrozenClock(START)) as still:
        assert isinstance(still, clock.FrozenClock)
        yield still


def _turns(one: Metronome, frozen: clock.FrozenClock, seconds: float) -> None:
    for _ in range(int(seconds / 0.25)):
        one.turn()
        frozen.advance(0.25)


def test_it_gives_each_beat_at_its_period(room: Room, frozen: clock.FrozenClock) -> None:
    _turns(Metronome({"a_room_of_the_tests.enqueue": 1.0}), frozen, 4)
    assert room.beats == [0, 1, 2, 3]


def test_a_failing_beat_alarms_once_and_the_others_go_on(room: Room, frozen: clock.FrozenClock) -> None:
    beats = {"a_room_of_the_tests.fail": 1.0, "no_such_room.beats.enqueue": 1.0, "a_room_of_the_tests.enqueue": 1.0}
    _turns(Metronome(beats), frozen, 4)
    assert len(room.beats) == 4
    assert sorted(Alarm.objects.values_list("key", "seen_times")) == [
        ("BEAT_FAILED:a_room_of_the_tests.fail", 1),
        ("BEAT_FAILED:no_such_room.beats.enqueue", 1),
    ]


def test_the_standby_gives_no_beat_until_the_lease_is_free(room: Room, frozen: clock.FrozenClock) -> None:
    active = Metronome({}, holder="first")
    active.turn()
    standby = Metronome({"a_room_of_the_tests.enqueue": 1.0}, holder="second")
    for _ in range(20):
        active.turn()
        standby.turn()
        frozen.advance(0.5)
    assert room.beats == []
    active.resign()
    _turns(standby, frozen, 2)
    assert len(room.beats) == 2
    assert heartbeat.age_s("metronome") is not None


def test_it_stops_at_once_when_another_took_its_lease(room: Room, frozen: clock.FrozenClock) -> None:
    one = Metronome({"a_room_of_the_tests.enqueue": 0.25}, holder="paused")
    one.turn()
    frozen.advance(6)  # paused past its term
    assert lease.acquire("metronome", seconds=60, holder="other") is not None
    _turns(one, frozen, 3)
    assert room.beats == [0]
    assert not one.is_active


def test_it_does_not_beat_past_its_term_between_two_renewals(room: Room, frozen: clock.FrozenClock) -> None:
    one = Metronome({"a_room_of_the_tests.enqueue": 0.25})
    one.turn()
    one._renew_at = clock.monotonic() + 60  # a renewal that hangs
    _turns(one, frozen, 8)
    assert max(room.beats) < metronome.TERM_S


def test_after_losing_the_lease_it_stands_by_and_takes_over_again(room: Room, frozen: clock.FrozenClock) -> None:
    one = Metronome({"a_room_of_the_tests.enqueue": 1.0})
    one.turn()
    Lease.objects.update(token=99, expires=clock.now() + timedelta(seconds=10), holder="other")
    _turns(one, frozen, 9)
    assert len(room.beats) == 1
    _turns(one, frozen, 3)
    assert len(room.beats) > 1


def test_the_minutes_fallback_beats_only_when_the_metronome_is_silent(
    room: Room, frozen: clock.FrozenClock, settings: object
) -> None:
    settings.BEATS = {"a_room_of_the_tests.fail": 1.0, "a_room_of_the_tests.enqueue": 1.0}  # type: ignore[attr-defined]
    heartbeat.beat("metronome")
    frozen.advance(9.9)
    assert not metronome.fallback()
    assert room.beats == []
    frozen.advance(0.1)
    assert metronome.fallback()
    assert len(room.beats) == 1
    assert Alarm.objects.get().kind == "METRONOME_SILENT"
    Heartbeat.objects.all().delete()
    assert metronome.fallback()
