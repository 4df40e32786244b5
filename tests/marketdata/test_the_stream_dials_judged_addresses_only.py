from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from marketdata.feed.client import Endpoint, Link, Stream
from tests.patience import wait_for

NAME = "broker.test"


class Far:
    """A server that lets everybody in and notes under which name it was called."""

    def __init__(self) -> None:
        self.called: list[str | None] = []
        self.server = serve(self._answer, "127.0.0.1", 0)
        self.port = self.server.socket.getsockname()[1]
        Thread(target=self.server.serve_forever, daemon=True).start()

    def _answer(self, connection: ServerConnection) -> None:
        self.called.append(connection.request.headers.get("Host") if connection.request else None)
        connection.recv()
        connection.send(json.dumps({"type": "auth", "status": "success"}))
        for _ in connection:
            pass


@pytest.fixture
def far() -> Iterator[Far]:
    far = Far()
    yield far
    far.server.shutdown()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What the name service says."""
    known: dict[str, list[str]] = {"127.0.0.1": ["127.0.0.1"]}

    def asked(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        if host not in known:
            raise socket.gaierror
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in known[host]]

    monkeypatch.setattr("accounts.gateway.pinned.socket.getaddrinfo", asked)
    return known


def opened(far: Far, scheme: str = "ws") -> Stream:
    stream = Stream(Endpoint(1, f"{scheme}://{NAME}:{far.port}", "k" * 20), lambda frame, at: None, pause_s=0.05)
    stream.start()
    return stream


def test_the_name_stays_in_the_request_and_the_address_is_the_judged_one(far: Far, names: dict[str, list[str]]) -> None:
    names[NAME] = ["127.0.0.1"]
    stream = opened(far)
    wait_for(lambda: stream.link is Link.LIVE, "the link", every_s=0.01)
    stream.stop()
    assert far.called == [f"{NAME}:{far.port}"]


@pytest.mark.parametrize("address", ["169.254.169.254", "0.0.0.0"])
def test_a_name_that_turned_to_a_forbidden_address_is_not_called(far: Far, names: dict[str, list[str]], address: str) -> None:
    """Also when another address of it would be good: it counts as a failure of the source, and the next one is taken."""
    names[NAME] = ["127.0.0.1", address]
    stream = opened(far)
    wait_for(lambda: stream.failures == 1, "the link", every_s=0.01)
    stream.stop()
    assert stream.last_error.startswith("NotAllowed") and stream.link is Link.DOWN and far.called == []


def test_private_addresses_need_the_setting(far: Far, names: dict[str, list[str]], settings: Any) -> None:
    settings.ALLOW_PRIVATE_HOSTS = False
    names[NAME] = ["127.0.0.1"]
    stream = opened(far)
    wait_for(lambda: stream.failures == 1, "the link", every_s=0.01)
    stream.stop()
    assert far.called == []


def test_tls_must_be_proven(far: Far, names: dict[str, list[str]]) -> None:
    names[NAME] = ["127.0.0.1"]
    stream = opened(far, "wss")
    wait_for(lambda: stream.failures == 1, "the link", every_s=0.01)
    stream.stop()
    assert "SSL" in stream.last_error and far.called == []
