"""Through daphne, with a client that stops reading: it costs a bounded amount, delays nobody, and gets what is newest."""

from __future__ import annotations

import json
import socket
import threading
import time
from datetime import datetime
from typing import Any

import psutil
import pytest
import websocket
from django.db import connection  # noqa: F401 - named by the mark
from django.test import Client

from algomirror.ops import push
from marketdata.outbox import MOST_EVENTS
from marketdata.reference.load import load
from tests.marketdata.cast import owner
from tests.marketdata.web_stand import Web, pages
from tests.patience import PATIENCE_S, wait_for

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.processes,
    pytest.mark.skipif("connection.vendor != 'sqlite'", reason="the pages are another process on this very file"),
]
MB = 1024 * 1024
KEYS, PUSHES, TEXT = 300, 120, "x" * 400  # 15 MB for whoever would read all of it
MOST_BUFFERED = 1 * MB  # ours and the kernel's, on both sides


def connected(web: Web, cookie: str, **options: Any) -> websocket.WebSocket:
    ws = websocket.create_connection(
        f"ws://127.0.0.1:{web.port}/ws", cookie=f"sessionid={cookie}", origin=web.url, timeout=PATIENCE_S, **options
    )
    ws.send(json.dumps({"op": "subscribe", "topic": "market"}))
    ws.send(json.dumps({"op": "ping"}))
    while json.loads(ws.recv())["kind"] != "pong":
        pass
    return ws


def pushed(number: int) -> None:
    push.push_ticks("market", {f"NFO:{key}": json.dumps({"n": number, "t": TEXT}) for key in range(KEYS)})


class Reader(threading.Thread):
    """A browser that takes everything at once; how late each message was."""

    def __init__(self, ws: websocket.WebSocket) -> None:
        super().__init__(daemon=True)
        self.ws, self.newest, self.late_s, self.bytes, self.messages = ws, -1, list[float](), 0, 0
        self.events = 0

    def run(self) -> None:
        while True:
            try:
                text = self.ws.recv()
            except (OSError, websocket.WebSocketException):
                return
            body = json.loads(text) if text else {}
            self.events += body.get("kind") == "changed"
            if body.get("kind") != "ticks":
                continue
            self.late_s.append(time.time() - datetime.fromisoformat(body["at"]).timestamp())
            self.bytes, self.messages = self.bytes + len(text), self.messages + 1
            self.newest = max(tick["n"] for tick in body["q"].values())


def test_a_client_that_stops_reading_is_bounded_and_the_others_are_not_late() -> None:
    load(actor="test")
    client = Client()
    client.force_login(owner())
    cookie = client.cookies["sessionid"].value
    with pages() as web:
        quick = Reader(connected(web, cookie))
        quick.start()
        stalled, gone = (connected(web, cookie, sockopt=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)]) for _ in range(2))
        server = psutil.Process(web.pid)
        pushed(0)
        wait_for(lambda: quick.newest == 0, "the first prices", every_s=0.02)
        before = server.memory_full_info().uss
        for number in range(1, PUSHES):
            pushed(number)
            time.sleep(0.01)
        wait_for(lambda: quick.newest == PUSHES - 1, "the newest prices", every_s=0.02)
        grown = server.memory_full_info().uss - before
        waiting = Reader(stalled)
        waiting.start()
        for number in range(MOST_EVENTS + 100):
            # Each says something of its own, so that none stands for another.
            push.push("market", "changed", number=number)
        wait_for(lambda: quick.events == MOST_EVENTS + 100, "every event at the quick one", every_s=0.02)
        given_up = Reader(gone)
        given_up.start()
        given_up.join(PATIENCE_S)
        assert not given_up.is_alive() and given_up.events == 0, "events are complete or the tab reads again: it is sent away"
        wait_for(lambda: waiting.newest == PUSHES - 1, "the newest prices at the slow one", every_s=0.02)
        quick.ws.close()
        stalled.close()
    late = sorted(quick.late_s)
    assert waiting.bytes < MOST_BUFFERED and waiting.messages < PUSHES / 4, "what was overtaken is not sent"
    assert grown < 10 * MB, f"{grown / MB:.1f} MiB"
    assert late[len(late) // 2] < 2, "it would have waited for as long as the other does not read"
