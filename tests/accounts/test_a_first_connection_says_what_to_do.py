"""What a new owner gets wrong when typing an address, and the sentence that helps."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from accounts.gateway import stream_check
from accounts.gateway.wire import Wire
from accounts.services.connection import Tried, advice, try_connection
from algomirror.kernel.errors import Refused
from tests.accounts import far

pytestmark = pytest.mark.django_db
KEY = "k" * 32


class Plain(BaseHTTPRequestHandler):
    """Some program that speaks HTTP and is no OpenAlgo."""

    status = 404

    def do_POST(self) -> None:
        self.send_response(self.status)
        self.end_headers()

    do_GET = do_POST

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Plain)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


@pytest.fixture
def closed() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def tried(host: str, stream: str = "ws://127.0.0.1:9") -> Tried:
    return try_connection(host_url=host, websocket_url=stream, key=KEY)


def test_a_closed_port(closed: int) -> None:
    assert "Nothing answers there: wrong host or port" in tried(f"http://127.0.0.1:{closed}").trouble


def test_https_where_plain_http_is_spoken(port: int) -> None:
    assert "without TLS: use http://" in tried(f"https://127.0.0.1:{port}").trouble


def test_http_where_tls_is_spoken() -> None:
    """nginx says so itself; other servers just break off."""
    said = "<html><h1>400 Bad Request</h1>The plain HTTP request was sent to HTTPS port</html>"
    refused = far.saying(lambda _: httpx.Response(400, text=said)).identify()
    assert "write https:// instead of http://" in advice(refused)  # type: ignore[arg-type]

    def breaks(request: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError("Server disconnected", request=request)

    assert "wants https://" in advice(far.saying(breaks).identify())  # type: ignore[arg-type]


def test_a_certificate_that_nobody_vouches_for() -> None:
    def refuses(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed", request=request)

    said = advice(far.saying(refuses).identify())  # type: ignore[arg-type]
    assert "certificate is not trusted" in said and "SSL:" not in said


@pytest.mark.parametrize(("status", "says"), [(404, "no OpenAlgo API at this address"), (405, "port of the WebSocket")])
def test_another_program_at_that_port(port: int, status: int, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plain, "status", status)
    assert says in tried(f"http://127.0.0.1:{port}").trouble


def test_a_name_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "check its spelling" in tried("http://algo.exmaple.org:5000").trouble


@pytest.mark.parametrize(
    ("host", "says"),
    [
        ("127.0.0.1:5000", "like http://127.0.0.1:5000"),
        ("ws://127.0.0.1:8765", "like http://127.0.0.1:5000"),
        ("http://127.0.0.1:5000/api/v1", "without a path"),
        ("", "like http://127.0.0.1:5000"),
    ],
)
def test_what_is_no_host_is_refused_beside_its_field(host: str, says: str) -> None:
    with pytest.raises(Refused) as refused:
        tried(host)
    assert says in refused.value.fields["host_url"]


def test_a_trailing_slash_and_spaces_do_no_harm(closed: int) -> None:
    assert "Nothing answers" in tried(f"  http://127.0.0.1:{closed}/ ").trouble


def test_the_stream_s_address_is_judged_by_itself(port: int, closed: int) -> None:
    assert "like ws://127.0.0.1:8765" in _stream_fault("http://127.0.0.1:8765")
    assert "Nothing answers at the WebSocket" in stream_check.sign_in(f"ws://127.0.0.1:{closed}", KEY, wait_s=30)
    assert "no tick stream" in stream_check.sign_in(f"ws://127.0.0.1:{port}", KEY, wait_s=30)
    assert "without TLS" in stream_check.sign_in(f"wss://127.0.0.1:{port}", KEY, wait_s=30)


def _stream_fault(stream: str) -> str:
    with pytest.raises(Refused) as refused:
        tried("http://127.0.0.1:5000", stream)
    return refused.value.fields["websocket_url"]


def test_no_sentence_holds_the_key(port: int) -> None:
    reply = Wire(f"https://127.0.0.1:{port}", KEY).post("ping", {}, timeout_s=30)
    assert KEY not in repr(reply)
