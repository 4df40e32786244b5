from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest

from accounts.gateway import pinned, stream_check
from accounts.gateway.pinned import NotAllowed, allowed_addresses, dial
from accounts.gateway.reports import NoReply, RawReply
from accounts.gateway.wire import Wire
from algomirror.kernel import clock
from algomirror.kernel.clock import FrozenClock
from tests.cast import FRIDAY

ASKED: list[tuple[str, str]] = []


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        ASKED.append((self.headers["host"], self.path))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        return


@contextmanager
def server() -> Iterator[int]:
    ASKED.clear()
    made = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    made.daemon_threads, made.block_on_close = True, False
    Thread(target=made.serve_forever, daemon=True).start()
    try:
        yield made.server_port
    finally:
        made.shutdown()
        made.server_close()


def names(monkeypatch: pytest.MonkeyPatch, known: dict[str, list[str]]) -> None:
    """A name service that says this."""

    def asked(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        if host not in known:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in known[host]]

    monkeypatch.setattr(pinned.socket, "getaddrinfo", asked)


def test_the_name_stays_in_the_request_and_the_address_is_the_judged_one(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, {"broker.test": ["127.0.0.1"], "127.0.0.1": ["127.0.0.1"]})
    with server() as port:
        reply = Wire(f"http://broker.test:{port}", "k" * 20).post("funds", {}, timeout_s=30)
    assert isinstance(reply, RawReply) and reply.http_status == 200
    assert [(f"broker.test:{port}", "/api/v1/funds")] == ASKED


@pytest.mark.parametrize("address", ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "0.0.0.0", "224.0.0.1"])
def test_a_name_that_turns_to_a_forbidden_address_is_not_called(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """It was good when the account was saved."""
    names(monkeypatch, {"broker.test": ["127.0.0.1", address]})
    with server() as port:
        reply = Wire(f"http://broker.test:{port}", "k" * 20).post("placeorder", {}, timeout_s=30)
    assert isinstance(reply, NoReply) and not reply.reached and "not allowed" in reply.text
    assert ASKED == []


def test_private_addresses_need_the_setting(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.ALLOW_PRIVATE_HOSTS = False
    names(monkeypatch, {"broker.test": ["127.0.0.1"]})
    with pytest.raises(NotAllowed, match="Private"):
        allowed_addresses("broker.test", 80)


def test_a_change_of_the_name_is_seen_within_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, {"broker.test": ["127.0.0.1"], "127.0.0.1": ["127.0.0.1"]})
    with clock.use(FrozenClock(FRIDAY)) as at_rest, server() as port:
        wire = Wire(f"http://broker.test:{port}", "k" * 20)
        assert isinstance(wire.post("funds", {}, timeout_s=30), RawReply)
        names(monkeypatch, {"broker.test": ["169.254.169.254"], "127.0.0.1": ["127.0.0.1"]})
        assert isinstance(at_rest, FrozenClock)
        at_rest.advance(31)
        assert isinstance(wire.post("funds", {}, timeout_s=30), NoReply)


def test_the_next_address_is_tried_when_nobody_answers_at_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """`localhost` is often ::1 first, where nobody listens. Nothing was sent, so nothing can be sent twice."""
    names(monkeypatch, {"broker.test": ["127.0.0.2", "127.0.0.1"], "127.0.0.1": ["127.0.0.1"], "127.0.0.2": ["127.0.0.2"]})
    with server() as port:
        wire = Wire(f"http://broker.test:{port}", "k" * 20)
        replies = [wire.post("placeorder", {}, timeout_s=30) for _ in range(3)]
    assert [isinstance(r, RawReply) for r in replies] == [True] * 3 and len(ASKED) == 3


def test_a_break_after_connecting_is_not_repeated_at_another_address() -> None:
    tried: list[str] = []

    def breaking(request: httpx.Request) -> httpx.Response:
        tried.append(request.url.host)
        raise httpx.ReadError("broke", request=request)

    transport = pinned.PinnedTransport(httpx.MockTransport(breaking))
    transport._keep("broker.test", 80, ["127.0.0.1", "127.0.0.2"])
    with pytest.raises(httpx.ReadError):
        transport.handle_request(httpx.Request("POST", "http://broker.test/"))
    assert tried == ["127.0.0.1"]


def test_tls_proves_the_name_not_the_address() -> None:
    seen: list[tuple[str, str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.host, request.headers["host"], request.extensions["sni_hostname"]))
        return httpx.Response(200)

    transport = pinned.PinnedTransport(httpx.MockTransport(answer))
    transport._keep("broker.test", 443, ["203.0.113.7"])
    transport.handle_request(httpx.Request("GET", "https://broker.test/"))
    assert seen == [("203.0.113.7", "broker.test", "broker.test")]


def test_an_unknown_name_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, {})
    reply = Wire("http://broker.test", "k" * 20).post("funds", {}, timeout_s=30)
    assert isinstance(reply, NoReply) and not reply.reached


def test_the_stream_is_dialled_at_a_judged_address_only(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, {"broker.test": ["169.254.169.254"]})
    with pytest.raises(NotAllowed):
        dial("ws://broker.test:8765", timeout_s=1)
    assert "Nothing answers" in stream_check.sign_in("ws://broker.test:8765", "k" * 20, wait_s=1)
