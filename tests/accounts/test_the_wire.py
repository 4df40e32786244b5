from __future__ import annotations

import logging
import socket
import threading
from decimal import Decimal
from typing import Any

import httpx
import pytest

from accounts.gateway.openalgo import OpenAlgoGateway
from accounts.gateway.reports import Failed, OrderTicket, Verdict, Why
from tests.accounts.far import KEY, saying
from tests.accounts.raw import say, server
from tests.environment import free_port
from tests.patience import PATIENCE_S

TICKET = OrderTicket("NFO", "X", "BUY", "NRML", "LIMIT", 65, Decimal("104.05"), Decimal(0))


def _wait(release: threading.Event) -> None:
    release.wait(PATIENCE_S)


def door(url: str) -> OpenAlgoGateway:
    return OpenAlgoGateway(9200, url, KEY, orders_per_second=500)


def test_a_closed_port_means_nothing_was_sent() -> None:
    port = free_port()
    assert door(f"http://127.0.0.1:{port}").place(TICKET).verdict is Verdict.NOT_SENT
    failed = door(f"http://127.0.0.1:{port}").funds()
    assert isinstance(failed, Failed) and failed.why is Why.UNREACHABLE


def test_a_connection_that_closes_after_the_request_is_unknown() -> None:
    with server(lambda caller, request: caller.shutdown(socket.SHUT_RDWR)) as (url, seen):
        assert door(url).place(TICKET).verdict is Verdict.UNKNOWN
    assert len(seen) == 1, "an order call is never repeated"


def test_half_a_body_is_unknown() -> None:
    def handle(caller: socket.socket, request: bytes) -> None:
        caller.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"status": "success", "orderid": "1"')
        caller.shutdown(socket.SHUT_RDWR)

    with server(handle) as (url, seen):
        assert door(url).place(TICKET).verdict is Verdict.UNKNOWN
    assert len(seen) == 1


def test_silence_after_the_request_is_unknown_and_not_repeated(settings: Any) -> None:
    settings.ORDER_TIMEOUT_S = 0.2
    settings.READ_TIMEOUT_S = 0.2
    release = threading.Event()
    with server(lambda caller, request: _wait(release)) as (url, seen):
        assert door(url).place(TICKET).verdict is Verdict.UNKNOWN
        failed = door(url).order_book()
        release.set()
    assert isinstance(failed, Failed) and failed.why is Why.TIMEOUT
    assert len(seen) == 2


def test_a_reply_that_drips_does_not_hold_us_for_ever(settings: Any) -> None:
    settings.ORDER_TIMEOUT_S = 0.3
    stop = threading.Event()

    def drip(caller: socket.socket, request: bytes) -> None:
        caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not stop.wait(0.05):
            caller.sendall(b" ")

    with server(drip) as (url, _):
        assert door(url).place(TICKET).verdict is Verdict.UNKNOWN
        stop.set()


def test_redirects_are_reported_and_not_followed() -> None:
    with server(lambda caller, request: say(caller, b"", b"301 Moved", b"Location: https://elsewhere/api/v1/placeorder\r\n")) as (
        url,
        seen,
    ):
        reply = door(url).place(TICKET)
        failed = door(url).funds()
    assert reply.verdict is Verdict.NOT_SENT and "https" in reply.text
    assert isinstance(failed, Failed) and "https" in failed.text
    assert len(seen) == 2


def test_connections_are_kept_for_the_next_call() -> None:
    callers: set[int] = set()

    def handle(caller: socket.socket, request: bytes) -> None:
        callers.add(id(caller))
        say(caller, b'{"status": "success", "orderid": "1"}')

    with server(handle) as (url, seen):
        client = door(url)
        for _ in range(5):
            assert client.place(TICKET).verdict is Verdict.ACCEPTED
    assert len(callers) == 1 and len(seen) == 5


def test_threads_share_one_client() -> None:
    with server(lambda caller, request: say(caller, b'{"status": "success", "orderid": "1"}')) as (url, seen):
        client = door(url)
        threads = [threading.Thread(target=client.place, args=(TICKET,)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(seen) == 20


def test_what_goes_out_is_exactly_what_the_server_accepts() -> None:
    bodies: list[object] = []

    def answer(request: httpx.Request) -> httpx.Response:
        import json

        bodies.append((request.url.path, json.loads(request.content)))
        return httpx.Response(200, json={"status": "success", "orderid": "1"})

    client = saying(answer)
    client.place(TICKET)
    client.modify("7", TICKET)
    client.cancel("7")
    fields = {
        "apikey": KEY,
        "strategy": "algomirror",
        "exchange": "NFO",
        "symbol": "X",
        "action": "BUY",
        "product": "NRML",
        "pricetype": "LIMIT",
        "quantity": 65,
        "price": 104.05,
        "trigger_price": 0.0,
        "disclosed_quantity": 0,
    }
    assert bodies == [
        ("/api/v1/placeorder", fields),
        ("/api/v1/modifyorder", fields | {"orderid": "7"}),
        ("/api/v1/cancelorder", {"apikey": KEY, "strategy": "algomirror", "orderid": "7"}),
    ]


def test_the_key_is_in_no_text_of_ours(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the server repeats it, when libraries log at their loudest, and in what a debugger prints."""
    caplog.set_level(logging.DEBUG)

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(400, json={"status": "error", "message": f"bad key {KEY} at {request.url}"})

    client = saying(answer)
    said = [client.place(TICKET), client.cancel("1"), client.funds(), client.instruments("NFO"), client.quotes([("N", "X")])]
    assert KEY not in repr(said)
    assert KEY not in repr(client) + str(client) + repr(client._wire)
    failing = OpenAlgoGateway(9201, "http://127.0.0.1:1", KEY)
    assert KEY not in repr([failing.instruments("NFO"), failing.place(TICKET)])
    ours = [r.getMessage() for r in caplog.records if r.name.split(".")[0] not in {"httpx", "httpcore"}]
    assert KEY not in " ".join(ours)
    from algomirror.ops.logs import masked

    assert KEY not in masked(" ".join(r.getMessage() for r in caplog.records if r.name == "httpx"))


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with server(lambda caller, request: say(caller, b'{"status": "success", "orderid": "1"}')) as (url, _):
        assert door(url).place(TICKET).verdict is Verdict.ACCEPTED
