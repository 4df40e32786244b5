"""Short questions past the client's pool: every answer is that of its own question, whatever happens to the connection."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from algomirror.ops import queue
from algomirror.ops.direct import Direct


@pytest.fixture
def direct() -> Iterator[Direct]:
    made = Direct(2.0)
    yield made
    made.forget()


def _connections() -> set[str]:
    return {row["id"] for row in queue.client().client_list()}


def test_what_is_asked_together_is_answered_in_its_order(direct: Direct) -> None:
    assert direct.ask(("SET", "a", 1), ("INCR", "a"), ("GET", "a"), ("GET", "none")) == [b"OK", 2, b"2", None]
    assert direct.one("EXISTS", "a") == 1


def test_one_thread_asks_over_one_connection(direct: Direct) -> None:
    direct.one("PING")
    before = _connections()
    for _ in range(5):
        direct.one("PING")
    assert _connections() == before


def test_a_refused_command_leaves_no_answer_behind(direct: Direct) -> None:
    queue.client().set("text", "no list")
    with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
        direct.ask(("SET", "first", 1), ("LPUSH", "text", 1), ("SET", "last", 2))
    assert direct.ask(("GET", "first"), ("GET", "last")) == [b"1", b"2"], "the others were carried out"


def test_a_connection_that_was_closed_meanwhile_is_made_anew(direct: Direct) -> None:
    mine = direct.one("CLIENT", "ID")
    queue.client().client_kill_filter(_id=str(mine))
    assert direct.one("PING") in (b"PONG", "PONG")
    assert direct.one("CLIENT", "ID") != mine


def test_connections_that_were_closed_do_not_count_against_those_to_come(direct: Direct) -> None:
    for _ in range(120):
        queue.client().client_kill_filter(_id=str(direct.one("CLIENT", "ID")))
    assert direct.one("PING") in (b"PONG", "PONG")


def test_after_an_outage_it_is_asked_again(settings: Any, direct: Direct) -> None:
    there, settings.REDIS_URL = settings.REDIS_URL, "redis://127.0.0.1:1/0"
    for _ in range(120):
        with pytest.raises(redis.ConnectionError):
            direct.one("PING")
    kept = direct._pool
    assert kept is not None
    kept.connection_kwargs["port"] = redis.ConnectionPool.from_url(there).connection_kwargs["port"]
    assert direct.one("PING") in (b"PONG", "PONG")


def test_an_answer_that_comes_too_late_is_nobody_elses() -> None:
    hasty = Direct(0.05)
    with pytest.raises(redis.TimeoutError):
        hasty.one("BLPOP", "late", 1)
    queue.client().rpush("late", "what the first one waited for")
    assert hasty.one("GET", "none") is None
    hasty.forget()


def test_nobody_there_is_said_at_once(settings: Any, direct: Direct) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(redis.ConnectionError):
        direct.one("PING")


def test_threads_that_ask_at_one_moment_each_hear_their_own_answer(direct: Direct) -> None:
    wrong: list[tuple[int, object]] = []

    def ask(n: int) -> None:
        for _ in range(100):
            answers = direct.ask(("SET", f"of:{n}", n), ("GET", f"of:{n}"))
            if answers[1] != str(n).encode():
                wrong.append((n, answers))

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_fork_asks_over_a_connection_of_its_own(direct: Direct) -> None:
    mine = direct.one("CLIENT", "ID")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, str(direct.one("CLIENT", "ID")).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(read, 40)) != mine
    assert direct.one("CLIENT", "ID") == mine, "the parent's goes on"
