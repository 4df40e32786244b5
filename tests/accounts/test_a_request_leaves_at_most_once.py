"""On real sockets: when a kept connection carries the next request, and what a broken one proves."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from accounts.gateway import line
from accounts.gateway.line import KEEP_ALIVE_S, OPEN_AT_MOST
from accounts.gateway.reports import NoReply, RawReply
from accounts.gateway.wire import Wire
from algomirror.kernel import clock
from algomirror.kernel.clock import FrozenClock
from tests.accounts.raw import say, server
from tests.cast import FRIDAY
from tests.environment import free_port
from tests.patience import PATIENCE_S

FINE = b'{"status": "success", "orderid": "%d"}'


@pytest.fixture
def at_rest() -> Iterator[FrozenClock]:
    frozen = FrozenClock(FRIDAY)
    with clock.use(frozen):
        yield frozen


class Counting:
    """Answers with the number of the request; remembers which connection brought it."""

    def __init__(self) -> None:
        self.by: list[tuple[str, int]] = []

    def __call__(self, caller: socket.socket, request: bytes) -> None:
        self.by.append(caller.getpeername())
        say(caller, FINE % len(self.by))


def order_of(reply: RawReply | NoReply) -> str:
    assert isinstance(reply, RawReply), reply
    return str(reply.body["orderid"])


def place(wire: Wire, *, timeout_s: float = PATIENCE_S) -> RawReply | NoReply:
    return wire.post("placeorder", {}, timeout_s=timeout_s)


def test_a_connection_that_the_server_closed_between_two_calls_is_not_used() -> None:
    gone = Event()
    answer = Counting()

    def handle(caller: socket.socket, request: bytes) -> None:
        answer(caller, request)
        caller.shutdown(socket.SHUT_RDWR)
        gone.set()

    with server(handle) as (url, seen):
        wire = Wire(url, "k")
        assert order_of(place(wire)) == "1"
        assert gone.wait(PATIENCE_S)
        assert order_of(place(wire)) == "2"
    assert len(seen) == 2 and len(set(answer.by)) == 2


def test_a_kept_connection_that_breaks_after_the_request_is_not_replaced_and_the_request_not_sent_again() -> None:
    """Where other clients silently send once more."""
    answer = Counting()

    def handle(caller: socket.socket, request: bytes) -> None:
        answer(caller, request) if not answer.by else answer.by.append(caller.getpeername())
        if len(answer.by) > 1:
            caller.shutdown(socket.SHUT_RDWR)

    with server(handle) as (url, seen):
        wire = Wire(url, "k")
        assert order_of(place(wire)) == "1"
        broken = place(wire)
    assert isinstance(broken, NoReply) and broken.reached and "broke" in broken.text
    assert len(seen) == 2 and len(set(answer.by)) == 1


def test_bytes_that_nobody_asked_for_do_not_answer_the_next_call() -> None:
    answer = Counting()

    def handle(caller: socket.socket, request: bytes) -> None:
        answer.by.append(caller.getpeername())
        body = FINE % len(answer.by)
        one = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        caller.sendall(one + one)

    with server(handle) as (url, seen):
        wire = Wire(url, "k")
        assert [order_of(place(wire)) for _ in range(3)] == ["1", "2", "3"]
    assert len(seen) == len(set(answer.by)) == 3


def test_a_connection_is_kept_for_less_than_any_server_keeps_it(at_rest: FrozenClock) -> None:
    answer = Counting()
    with server(answer) as (url, _):
        wire = Wire(url, "k")
        place(wire)
        at_rest.advance(KEEP_ALIVE_S - 0.1)
        place(wire)
        assert len(set(answer.by)) == 1, "its age counts from its last use"
        at_rest.advance(KEEP_ALIVE_S + 0.1)
        place(wire)
    assert len(set(answer.by)) == 2


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nConnection: close\r\n", b"HTTP/1.0 200 OK\r\n"])
def test_a_server_that_wants_no_second_request_gets_none_on_that_connection(head: bytes) -> None:
    answer = Counting()

    def handle(caller: socket.socket, request: bytes) -> None:
        answer.by.append(caller.getpeername())
        caller.sendall(head + b"Content-Length: 2\r\n\r\n{}")

    with server(handle) as (url, seen):
        wire = Wire(url, "k")
        assert all(isinstance(place(wire), RawReply) for _ in range(2))
    assert len(seen) == len(set(answer.by)) == 2


def test_closing_lets_go_of_idle_connections_and_another_call_still_works() -> None:
    answer = Counting()
    with server(answer) as (url, seen):
        wire = Wire(url, "k")
        place(wire)
        wire.close()
        assert order_of(place(wire)) == "2"
    assert len(seen) == len(set(answer.by)) == 2


def test_a_server_that_takes_the_request_and_says_nothing_may_have_it() -> None:
    release = Event()
    with server(lambda caller, request: void(release.wait(PATIENCE_S))) as (url, seen):
        started = clock.monotonic()
        silent = place(Wire(url, "k"), timeout_s=0.2)
        took = clock.monotonic() - started
        release.set()
    assert silent == NoReply(reached=True, text="no answer within the time limit", timed_out=True)
    assert len(seen) == 1 and 0.2 <= took < PATIENCE_S / 2


def test_so_many_requests_at_once_and_the_next_one_is_told_without_being_sent(settings: Any) -> None:
    settings.CONNECT_TIMEOUT_S = PATIENCE_S
    release = Event()
    inside: list[Event] = [Event() for _ in range(OPEN_AT_MOST)]
    waiting = iter(inside)

    def handle(caller: socket.socket, request: bytes) -> None:
        if not release.is_set():
            next(waiting).set()
            release.wait(PATIENCE_S)
        say(caller, FINE % 1)

    with server(handle) as (url, seen), ThreadPoolExecutor(OPEN_AT_MOST) as threads:
        wire = Wire(url, "k")
        under_way = [threads.submit(place, wire) for _ in range(OPEN_AT_MOST)]
        assert all(event.wait(PATIENCE_S) for event in inside)
        settings.CONNECT_TIMEOUT_S = 0.2
        assert place(wire) == line.BUSY
        release.set()
        assert {order_of(one.result()) for one in under_way} == {"1"}
        assert order_of(place(wire)) == "1", "every slot comes back"
    assert len(seen) == OPEN_AT_MOST + 1


def test_slots_come_back_from_calls_that_fail(settings: Any) -> None:
    settings.CONNECT_TIMEOUT_S = 0.2
    closed = Wire(f"http://127.0.0.1:{free_port()}", "k")
    told = [place(closed) for _ in range(OPEN_AT_MOST + 1)]
    assert {isinstance(reply, NoReply) and "nothing answers" in reply.text for reply in told} == {True}
    with server(lambda caller, request: caller.shutdown(socket.SHUT_RDWR)) as (url, seen):
        breaking = Wire(url, "k")
        told = [place(breaking) for _ in range(OPEN_AT_MOST + 1)]
    assert {isinstance(reply, NoReply) and reply.reached for reply in told} == {True}
    assert len(seen) == OPEN_AT_MOST + 1


def test_a_tls_greeting_that_is_not_answered_sent_nothing(settings: Any) -> None:
    settings.CONNECT_TIMEOUT_S = 0.2
    with socket.create_server(("127.0.0.1", 0)) as listening:
        silent = place(Wire(f"https://127.0.0.1:{listening.getsockname()[1]}", "k"))
    assert silent == NoReply(reached=False, text="no connection within the time limit", timed_out=True)


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("http://a\nhost: evil", "not valid"),
        ("http://127.0.0.1:5000\x7f", "not valid"),
        ("http://127.0.0.1:99999", "nothing answers"),
        ("ftp://127.0.0.1", "must start with"),
        ("http://", "must start with"),
        ("127.0.0.1", "must start with"),
    ],
)
def test_an_address_that_is_none_is_told_and_nothing_is_sent(host: str, says: str) -> None:
    told = place(Wire(host, "k"))
    assert isinstance(told, NoReply) and not told.reached and says in told.text


def test_head_and_body_leave_together_and_are_complete() -> None:
    with server(lambda caller, request: say(caller, b"{}")) as (url, seen):
        wire = Wire(url, "the-key")
        wire.post("funds", {"a": 1}, timeout_s=PATIENCE_S)
        wire.get("instruments", {"exchange": "N&F O"}, timeout_s=PATIENCE_S)
    head, _, body = seen[0].partition(b"\r\n\r\n")
    host = url.removeprefix("http://").encode()
    assert body == b'{"apikey": "the-key", "a": 1}'
    assert head.split(b"\r\n") == [
        b"POST /api/v1/funds HTTP/1.1",
        b"host: " + host,
        b"accept: application/json, text/csv",
        b"accept-encoding: gzip, deflate",
        b"user-agent: algomirror",
        b"content-type: application/json",
        b"content-length: %d" % len(body),
    ]
    assert seen[1].startswith(b"GET /api/v1/instruments?apikey=the-key&exchange=N%26F+O HTTP/1.1\r\nhost: " + host)
    assert b"content-" not in seen[1]


def void(_: object) -> None:
    return
