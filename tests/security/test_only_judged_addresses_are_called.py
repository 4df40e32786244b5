from __future__ import annotations

import datetime as dt
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from accounts.gateway import line, pinned, stream_check
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
def server(tls: ssl.SSLContext | None = None) -> Iterator[int]:
    ASKED.clear()
    made = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    if tls is not None:
        made.socket = tls.wrap_socket(made.socket, server_side=True)
    made.daemon_threads, made.block_on_close = True, False
    Thread(target=made.serve_forever, daemon=True).start()
    try:
        yield made.server_port
    finally:
        made.shutdown()
        made.server_close()


@contextmanager
def deaf(at: tuple[str, int]) -> Iterator[None]:
    """A port whose queue of callers is full: the system answers nobody any more."""
    with socket.socket() as listening, ExitStack() as callers:
        listening.bind(at)
        listening.listen(0)
        for _ in range(2):
            caller = callers.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(at)
        yield


@contextmanager
def breaking(at: tuple[str, int]) -> Iterator[list[bytes]]:
    """A port that takes one request and hangs up."""
    seen: list[bytes] = []
    with socket.create_server(at) as listening:

        def serve() -> None:
            caller, _ = listening.accept()
            seen.append(caller.recv(65536))
            caller.close()

        Thread(target=serve, daemon=True).start()
        yield seen


def certificate_of(name: str, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For a server of that name, and for who trusts it and nobody else."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    at = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(at - dt.timedelta(days=1))
        .not_valid_after(at + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    secret.write_bytes(key.private_bytes(*plain))
    here = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    here.load_cert_chain(chain, secret)
    return here, ssl.create_default_context(cafile=str(chain))


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


def test_the_address_that_answered_is_asked_first_from_then_on(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, {"broker.test": ["127.0.0.2", "127.0.0.1"], "127.0.0.1": ["127.0.0.1"], "127.0.0.2": ["127.0.0.2"]})
    with server() as port:
        wire = Wire(f"http://broker.test:{port}", "k" * 20)
        assert isinstance(wire.post("placeorder", {}, timeout_s=30), RawReply)
        wire.close()
        with breaking(("127.0.0.2", port)) as seen:
            assert isinstance(wire.post("placeorder", {}, timeout_s=30), RawReply)
    assert seen == [] and len(ASKED) == 2


def test_a_name_that_led_nowhere_is_asked_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, {"broker.test": ["127.0.0.2"], "127.0.0.1": ["127.0.0.1"], "127.0.0.2": ["127.0.0.2"]})
    with server() as port:
        wire = Wire(f"http://broker.test:{port}", "k" * 20)
        assert isinstance(wire.post("funds", {}, timeout_s=30), NoReply)
        names(monkeypatch, {"broker.test": ["127.0.0.1"], "127.0.0.1": ["127.0.0.1"]})
        assert isinstance(wire.post("funds", {}, timeout_s=30), RawReply)


def test_a_new_order_of_addresses_makes_the_judgement_no_younger(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, {"broker.test": ["127.0.0.2", "127.0.0.1"], "127.0.0.1": ["127.0.0.1"], "127.0.0.2": ["127.0.0.2"]})
    with clock.use(FrozenClock(FRIDAY)) as at_rest, server() as port:
        assert isinstance(at_rest, FrozenClock)
        there = pinned.Pinned("broker.test", port, None)
        assert there._addresses() == ["127.0.0.2", "127.0.0.1"]
        at_rest.advance(20)
        there.connect(30).close()
        assert there._addresses() == ["127.0.0.1", "127.0.0.2"]
        names(monkeypatch, {"broker.test": ["169.254.169.254"]})
        at_rest.advance(11)
        with pytest.raises(NotAllowed):
            there.connect(30)


def test_an_address_that_says_nothing_is_asked_last_from_then_on(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """Its call has no time left for the others; the next call begins with them."""
    settings.CONNECT_TIMEOUT_S = 0.3
    names(monkeypatch, {"broker.test": ["127.0.0.2", "127.0.0.1"], "127.0.0.1": ["127.0.0.1"], "127.0.0.2": ["127.0.0.2"]})
    with server() as port, deaf(("127.0.0.2", port)):
        wire = Wire(f"http://broker.test:{port}", "k" * 20)
        first, second = (wire.post("placeorder", {}, timeout_s=30) for _ in range(2))
    assert first == NoReply(reached=False, text="no connection within the time limit", timed_out=True)
    assert isinstance(second, RawReply) and len(ASKED) == 1


def test_a_name_service_that_takes_too_long_lets_nothing_be_sent_late(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """It may take half a minute; by then the sender was given up, and what it sends goes out beside what replaced it."""
    with clock.use(FrozenClock(FRIDAY)) as at_rest, server() as port:

        def slow(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
            assert isinstance(at_rest, FrozenClock)
            if host == "broker.test":
                at_rest.advance(settings.CONNECT_TIMEOUT_S + 1)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        monkeypatch.setattr(socket, "getaddrinfo", slow)
        wire = Wire(f"http://broker.test:{port}", "k" * 20)
        late = wire.post("placeorder", {}, timeout_s=30)
        assert late == NoReply(reached=False, text="no connection within the time limit", timed_out=True) and ASKED == []
        assert isinstance(wire.post("placeorder", {}, timeout_s=30), RawReply), "what it said in the end is kept"


def test_a_break_after_connecting_is_not_repeated_at_another_address(monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = {"broker.test": ["127.0.0.2", "127.0.0.1"], "127.0.0.1": ["127.0.0.1"], "127.0.0.2": ["127.0.0.2"]}
    names(monkeypatch, addresses)
    with server() as port, breaking(("127.0.0.2", port)) as seen:
        reply = Wire(f"http://broker.test:{port}", "k" * 20).post("placeorder", {}, timeout_s=30)
    assert isinstance(reply, NoReply) and reply.reached and "broke" in reply.text
    assert len(seen) == 1 and ASKED == []


def test_tls_proves_the_name_not_the_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names(monkeypatch, {"broker.test": ["127.0.0.1"], "other.test": ["127.0.0.1"], "127.0.0.1": ["127.0.0.1"]})
    here, trust = certificate_of("broker.test", tmp_path)
    monkeypatch.setattr(line, "tls", lambda: trust)
    asked: list[str | None] = []
    here.sni_callback = lambda _, name, __: asked.append(name)
    with server(here) as port:
        good = Wire(f"https://broker.test:{port}", "k" * 20).post("funds", {}, timeout_s=30)
        bad = Wire(f"https://other.test:{port}", "k" * 20).post("placeorder", {}, timeout_s=30)
    assert isinstance(good, RawReply) and asked == ["broker.test", "other.test"]
    assert bad == NoReply(reached=False, text="the server's TLS certificate is not trusted")
    assert [(f"broker.test:{port}", "/api/v1/funds")] == ASKED


def test_an_unknown_name_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, {})
    reply = Wire("http://broker.test", "k" * 20).post("funds", {}, timeout_s=30)
    assert isinstance(reply, NoReply) and not reply.reached


def test_the_stream_is_dialled_at_a_judged_address_only(monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, {"broker.test": ["169.254.169.254"]})
    with pytest.raises(NotAllowed):
        dial("ws://broker.test:8765", timeout_s=1)
    assert "Nothing answers" in stream_check.sign_in("ws://broker.test:8765", "k" * 20, wait_s=1)
