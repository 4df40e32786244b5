"""Whoever asks for an account that another worker has leaves a note, and no moment of the turn loses it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
import redis

from algomirror.ops import direct, lease, queue
from algomirror.ops.direct import Command, Direct
from trading.services import wake, work

pytestmark = pytest.mark.django_db(transaction=True)
ACCOUNT = 7


def _asked() -> list[int]:
    return wake.take()[0]


def _while_at_work(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    def seated(account_id: int) -> bool:
        act()
        return False

    monkeypatch.setattr(work, "_seated", seated)


def _sent_together(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    sent: list[tuple[Any, ...]] = []
    ask = Direct.ask

    def noted(self: Direct, *commands: Command) -> list[Any]:
        if len(commands) > 1:
            sent.extend(commands)
        return ask(self, *commands)

    monkeypatch.setattr(Direct, "ask", noted)
    return sent


def test_a_note_left_during_a_turn_asks_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[bool, bool]] = []
    _while_at_work(monkeypatch, lambda: seen.append(work._hold(ACCOUNT)))
    work._turn(ACCOUNT)
    assert seen == [(False, True)], "the second worker takes nothing, and is heard by the first"
    assert _asked() == [ACCOUNT]
    assert not queue.client().exists(work._held(ACCOUNT), work._note(ACCOUNT))


def test_a_turn_that_nobody_disturbed_asks_for_none(monkeypatch: pytest.MonkeyPatch) -> None:
    _while_at_work(monkeypatch, lambda: None)
    work._turn(ACCOUNT)
    assert _asked() == []


def test_the_account_is_free_before_the_note_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other way round a note left between the two would be heard by nobody."""
    sent = _sent_together(monkeypatch)
    work._let_go(ACCOUNT)
    assert sent == [("DEL", work._held(ACCOUNT)), ("DEL", work._note(ACCOUNT))]


def test_a_note_is_there_before_its_owner_looks_who_has_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    queue.client().set(work._held(ACCOUNT), lease.process_name(), ex=30)
    sent = _sent_together(monkeypatch)
    work._hold(ACCOUNT)
    assert [name for name, *_ in sent] == ["SET", "EXISTS"]


def test_who_finds_the_account_free_again_after_leaving_a_note_asks_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    queue.client().set(work._held(ACCOUNT), lease.process_name(), ex=30)
    ask = Direct.ask

    def just_then(self: Direct, *commands: Command) -> list[Any]:
        if len(commands) > 1:
            monkeypatch.setattr(Direct, "ask", ask)
            work._let_go(ACCOUNT)
        return ask(self, *commands)

    monkeypatch.setattr(Direct, "ask", just_then)
    work._turn(ACCOUNT)
    assert _asked() == [ACCOUNT]


def test_a_note_outlives_a_turn_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> NoReturn:
        work._hold(ACCOUNT)
        raise RuntimeError("nothing went right")

    _while_at_work(monkeypatch, fail)
    work._turn(ACCOUNT)
    assert _asked() == [ACCOUNT]
    assert not queue.client().exists(work._held(ACCOUNT))


def test_an_account_in_the_hands_of_the_dead_is_taken_at_once() -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    queue.client().set(work._held(ACCOUNT), f"{lease.process_name().rpartition(':')[0]}:{ended.pid}", ex=30)
    assert work._hold(ACCOUNT) == (True, True)
    holder = queue.client().get(work._held(ACCOUNT))
    assert isinstance(holder, bytes)
    assert holder.decode().startswith(f"{lease.process_name()} ")


def test_an_account_that_was_taken_is_ours_though_the_answer_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kept connection breaks after Redis took the key and before it said so; the question is sent again."""
    direct.usual.one("PING")
    broken: list[str] = []
    exchange = Direct._exchange

    def breaks(self: Direct, connection: Any, commands: tuple[Command, ...]) -> list[Any]:
        found = exchange(self, connection, commands)
        if commands[0][0] == "SET" and not broken:
            broken.append("reset by peer")
            raise redis.ConnectionError(broken[0])
        return found

    monkeypatch.setattr(Direct, "_exchange", breaks)
    assert work._hold(ACCOUNT) == (True, True)
    assert broken
    assert work._hold(ACCOUNT) == (False, True), "the next turn is another"


def test_without_redis_the_work_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(self: Direct, *commands: Command) -> NoReturn:
        raise redis.ConnectionError("nobody there")

    turns: list[int] = []
    _while_at_work(monkeypatch, lambda: turns.append(ACCOUNT))
    monkeypatch.setattr(Direct, "ask", away)
    work._turn(ACCOUNT)
    assert turns == [ACCOUNT]
    assert work._is_noted(ACCOUNT), "what nobody can say is looked at"
