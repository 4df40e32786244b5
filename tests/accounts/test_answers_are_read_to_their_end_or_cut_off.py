"""On real sockets: every form an answer may take, and those that never end."""

from __future__ import annotations

import gzip
import socket
import zlib
from collections.abc import Callable
from threading import Event
from typing import cast

import pytest

from accounts.gateway import connection
from accounts.gateway.reports import NoReply, RawReply
from accounts.gateway.wire import Wire
from algomirror.kernel import clock
from algomirror.kernel.clock import FrozenClock
from tests.accounts.raw import server
from tests.cast import FRIDAY
from tests.patience import PATIENCE_S

BODY = b'{"status": "success", "orderid": "1"}'
OK = b"HTTP/1.1 200 OK\r\n"
BROKE = NoReply(reached=True, text="the connection broke before the answer was complete")
SLOW = NoReply(reached=True, text="no answer within the time limit", timed_out=True)
MUCH = NoReply(reached=True, text="the answer was too long")


def sized(body: bytes, head: bytes = b"") -> bytes:
    return OK + head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def bare(body: bytes) -> bytes:
    machine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return machine.compress(body) + machine.flush()


def told(*parts: bytes, timeout_s: float = PATIENCE_S, ends: bool = True) -> RawReply | NoReply:
    """What an order is told by a server that sends this and hangs up, or says no more."""

    def handle(caller: socket.socket, request: bytes) -> None:
        for part in parts:
            caller.sendall(part)
        if ends:
            caller.shutdown(socket.SHUT_RDWR)

    with server(handle) as (url, seen):
        reply = Wire(url, "k").post("placeorder", {}, timeout_s=timeout_s)
    assert len(seen) == 1
    return reply


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
WHOLE = {
    "chunked": CHUNKED + b'9;x=y\r\n{"status"\r\n1c\r\n: "success", "orderid": "1"}\r\n0\r\nX-Trailer: 1\r\n\r\n',
    "until the end": OK + b"\r\n" + BODY,
    "gzip": sized(gzip.compress(BODY), b"Content-Encoding: gzip\r\n"),
    "deflate": sized(zlib.compress(BODY), b"Content-Encoding: deflate\r\n"),
    "bare deflate": sized(bare(BODY), b"Content-Encoding: deflate\r\n"),
    "after 100": b"HTTP/1.1 100 Continue\r\n\r\n" + sized(BODY),
    "after others": b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + sized(BODY),
    "old": b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
}


@pytest.mark.parametrize("form", WHOLE)
def test_a_whole_answer_is_understood(form: str) -> None:
    reply = told(WHOLE[form])
    assert isinstance(reply, RawReply) and reply.http_status == 200
    assert reply.body == {"status": "success", "orderid": "1"}


@pytest.mark.parametrize("form", ["chunked", "gzip", "after others"])
def test_how_it_is_cut_on_the_way_does_not_matter(form: str) -> None:
    answer = WHOLE[form]
    reply = told(*(answer[n : n + 1] for n in range(len(answer))))
    assert isinstance(reply, RawReply) and reply.body == {"status": "success", "orderid": "1"}


def test_a_large_answer_is_whole() -> None:
    body = b'{"status": "success", "data": "' + b"x" * 3_000_000 + b'"}'
    for answer in (sized(body), CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)):
        reply = told(answer)
        assert isinstance(reply, RawReply) and len(reply.body["data"]) == 3_000_000


BROKEN = {
    "garbage": b"SSH-2.0-OpenSSH_9.6\r\n",
    "zeroes": bytes(400),
    "nothing": b"",
    "half a head": OK + b"Content-Type: application/json\r\nContent-Le",
    "half a status": b"HTTP/1.1 429",
    "half a body": sized(BODY)[:-5],
    "half a chunk": CHUNKED + b"30\r\n{}",
    "no last chunk": CHUNKED + b"2\r\n{}\r\n",
    "no end of chunks": CHUNKED + b"2\r\n{}\r\n0\r\n",
    "a chunk of no size": CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
    "a chunk below nothing": CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
    "two lengths": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "half a gzip": sized(gzip.compress(BODY)[:-6], b"Content-Encoding: gzip\r\n"),
    "no gzip": sized(BODY, b"Content-Encoding: gzip\r\n"),
    "too many headers": OK + b"".join(b"X-%d: 1\r\n" % n for n in range(200)) + b"\r\n",
    "a header too long": OK + b"X: " + b"x" * 70_000 + b"\r\n\r\n",
    "another protocol": b"HTTP/3.0 200 OK\r\n\r\n",
}


@pytest.mark.parametrize("form", BROKEN)
def test_a_broken_answer_is_none(form: str) -> None:
    assert told(BROKEN[form]) == BROKE


@pytest.mark.parametrize("status", [b"302 Found", b"307 Moved"])
def test_of_a_redirect_only_the_place_is_read_and_the_key_is_cut_out_of_it(status: bytes) -> None:
    def handle(caller: socket.socket, request: bytes) -> None:
        asked = request.split(b" ")[1]
        caller.sendall(b"HTTP/1.1 " + status + b"\r\nLocation: https://elsewhere" + asked + b"\r\nContent-Length: 999\r\n\r\n")

    with server(handle) as (url, seen):
        reply = Wire(url, "k" * 20).get("instruments", {}, timeout_s=PATIENCE_S)
    assert isinstance(reply, RawReply) and reply.text == "redirect to https://elsewhere/api/v1/instruments?apikey=***"
    assert len(seen) == 1


DRIPPING: dict[str, tuple[bytes, Callable[[int], bytes]]] = {
    "head": (OK + b"X: ", lambda _: b"x"),
    "status": (b"HTTP/1.1 200 ", lambda _: b"x"),
    "body": (OK + b"Content-Length: 100000\r\n\r\n", lambda _: b" "),
    "chunks": (CHUNKED, lambda _: b"1\r\n \r\n"),
    "body without end": (OK + b"\r\n", lambda _: b" "),
    "never the answer itself": (b"", lambda n: b"HTTP/1.1 10%d Wait\r\n\r\n" % (n % 2 * 2)),
}


@pytest.mark.parametrize("part", DRIPPING)
def test_what_drips_is_cut_off(part: str) -> None:
    first, more = DRIPPING[part]
    stop = Event()

    def drip(caller: socket.socket, request: bytes) -> None:
        caller.sendall(first)
        n = 0
        while not stop.wait(0.02):
            caller.sendall(more(n))
            n += 1

    with server(drip) as (url, seen):
        started = clock.monotonic()
        reply = Wire(url, "k").post("placeorder", {}, timeout_s=0.3)
        took = clock.monotonic() - started
        stop.set()
    assert reply == SLOW and len(seen) == 1
    assert 0.3 <= took < PATIENCE_S / 2


def test_each_wait_is_for_what_is_left_of_the_time() -> None:
    with clock.use(FrozenClock(FRIDAY)) as at_rest:
        assert isinstance(at_rest, FrozenClock)
        parts = {4: OK, 0.5: b"Content-Length: 3\r\n\r\n", 1.5: b"a", 0.6: b"b"}
        waits = list[float]()

        class Slow:
            """Each part comes so many seconds after it was asked for."""

            def fileno(self) -> int:
                return ours.fileno()

            def settimeout(self, seconds: float) -> None:
                waits.append(round(seconds, 3))

            def sendall(self, request: bytes) -> None:
                at_rest.advance(1)

            def recv(self, size: int) -> bytes:
                after = next(iter(parts))
                at_rest.advance(after)
                return parts.pop(after)

        ours, theirs = socket.socketpair()
        with ours, theirs:
            caller = connection.Connection(cast(socket.socket, Slow()))
            caller.send(b"", 5.0)
            with pytest.raises(TimeoutError):
                caller.hear(2.0)
    assert waits == [5.0, 5.0, 1.0, 2.0, 0.5], "sending, the head and what is left of its time, the body and what is left"


FLOODS = {
    "a head": [OK] + [b"X: " + b"x" * 60_000 + b"\r\n"] * 90,
    "a body": [OK + b"\r\n"] + [b" " * 100_000] * 50,
    "a body of known size": [OK + b"Content-Length: 5000000\r\n\r\n"] + [b" " * 100_000] * 50,
    "a chunk that has no end": [CHUNKED + b"fffffff\r\n"] + [b" " * 100_000] * 50,
    "gzip": [sized(gzip.compress(bytes(5_000_000)), b"Content-Encoding: gzip\r\n")],
    "bare deflate": [sized(bare(bytes(5_000_000)), b"Content-Encoding: deflate\r\n")],
}


@pytest.mark.parametrize("part", FLOODS)
def test_what_floods_is_cut_off(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_BYTES", 1_000_000)
    assert told(*FLOODS[part]) == MUCH


def test_a_body_just_within_the_bound_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MAX_BYTES", 1_000_000)
    packed = gzip.compress(b" " * 999_998 + b"{}")
    reply = told(sized(packed, b"Content-Encoding: gzip\r\n"))
    assert isinstance(reply, RawReply) and reply.body == {}


@pytest.mark.parametrize("head", [b"HTTP/1.1 204 No Content\r\n\r\n", OK + b"Content-Length: 0\r\n\r\n"])
def test_an_empty_answer_is_no_json(head: bytes) -> None:
    reply = told(head, ends=False)
    assert isinstance(reply, RawReply) and reply.body is None
