"""The REST port by its bytes: what arrives in which pieces, and what goes back in which order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime

import pytest

import simulator.http
from simulator.requests import LARGEST_BODY, LARGEST_HEAD, target
from tests.patience import PATIENCE_S
from tests.simulator.desk import Desk

JSON = "Content-Type: application/json"
GET_PAGE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Wire:
    """One connection to account 1, its requests written by hand."""

    def __init__(self, desk: Desk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.key = desk.world.accounts[0].api_key
        self.reader, self.writer = reader, writer

    @property
    def body(self) -> bytes:
        return json.dumps({"apikey": self.key}).encode()

    def request(self, endpoint: str = "ping", *headers: str, version: str = "1.1") -> bytes:
        length = f"Content-Length: {len(self.body)}"
        return self.head(endpoint, length, *headers, version=version) + self.body

    def head(self, endpoint: str, *headers: str, version: str = "1.1") -> bytes:
        lines = [f"POST /api/v1/{endpoint} HTTP/{version}", "Host: x", JSON, *headers, "", ""]
        return "\r\n".join(lines).encode()

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def reply(self, method: str = "POST") -> tuple[int, dict[str, str], bytes]:
        async with asyncio.timeout(PATIENCE_S):
            opening, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines if line)
            length = 0 if method == "HEAD" else int(headers.get("content-length", 0))
            return int(opening.split()[1]), headers, await self.reader.readexactly(length)

    async def told(self) -> str:
        """What the next reply says."""
        body = json.loads((await self.reply())[2])
        return str(body.get("message") or body["data"].get("message") or "funds")

    async def ends(self) -> bool:
        """The server has closed, with nothing more to say."""
        async with asyncio.timeout(PATIENCE_S):
            try:
                return await self.reader.read() == b""
            except ConnectionError:
                return True

    async def silent(self, seconds: float = 0.1) -> bool:
        try:
            await asyncio.wait_for(self.reader.read(1), seconds)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def connected(desk: Desk) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", desk.runtime.ports.rest(1))
    try:
        yield Wire(desk, reader, writer)
    finally:
        writer.close()


@pytest.fixture
async def wire(running: Desk) -> AsyncIterator[Wire]:
    async with connected(running) as wire:
        yield wire


async def test_a_reply_says_who_when_and_how_much(wire: Wire) -> None:
    await wire.send(wire.request())
    status, headers, body = await wire.reply()
    assert (status, headers["content-type"], int(headers["content-length"])) == (200, "application/json", len(body))
    assert headers["server"]
    assert parsedate_to_datetime(headers["date"]).tzinfo is not None
    assert "connection" not in headers


async def test_pipelined_requests_are_answered_in_order_whatever_they_take(running: Desk, wire: Wire) -> None:
    running.world.accounts[0].latency_ms = {"funds": 150.0}
    await wire.send(wire.request("funds") + wire.request("ping") + wire.request("nothing"))
    await asyncio.sleep(0.05)
    assert running.world.accounts[0].calls == 1
    assert [await wire.told() for _ in range(3)] == ["funds", "pong", "Not found"]


async def test_a_request_may_come_byte_by_byte(wire: Wire) -> None:
    await wire.send(*(bytes([byte]) for byte in wire.request()))
    assert await wire.told() == "pong"


async def test_a_chunked_body_is_put_together(wire: Wire) -> None:
    first, second = wire.body[:7], wire.body[7:]
    chunks = b"7;x=1\r\n%b\r\n%x\r\n%b\r\n0\r\nHost: trailer\r\n\r\n" % (first, len(second), second)
    await wire.send(wire.head("ping", "Transfer-Encoding: chunked") + chunks, wire.request())
    assert [await wire.told() for _ in range(2)] == ["pong", "pong"]


async def test_header_names_are_read_in_any_case(wire: Wire) -> None:
    await wire.send(wire.request().replace(JSON.encode(), b"CONTENT-type:Application/JSON ; charset=utf-8 "))
    assert await wire.told() == "pong"


async def test_head_has_the_headers_and_no_body(wire: Wire) -> None:
    await wire.send(GET_PAGE.replace(b"GET", b"HEAD") + wire.request())
    status, headers, _ = await wire.reply("HEAD")
    assert (status, int(headers["content-length"]) > 0) == (200, True)
    assert await wire.told() == "pong"


async def test_options_names_an_endpoint_without_calling_it(running: Desk, wire: Wire) -> None:
    await wire.send(wire.request().replace(b"POST", b"OPTIONS"))
    assert (await wire.reply())[0] == 200
    assert running.world.accounts[0].calls == 0


async def test_who_asks_first_is_told_to_go_on(wire: Wire) -> None:
    whole = wire.request("ping", "Expect: 100-continue")
    await wire.send(wire.request() + whole[: -len(wire.body)])
    assert await wire.told() == "pong"
    assert (await wire.reply())[0] == 100
    await wire.send(wire.body)
    assert await wire.told() == "pong"


async def test_another_expectation_fails(wire: Wire) -> None:
    await wire.send(wire.head("ping", "Expect: tea", "Content-Length: 5"))
    assert (await wire.reply())[0] == 417
    await wire.send(b"12345", wire.request())
    assert await wire.told() == "pong"


@pytest.mark.parametrize(("version", "header"), [("1.0", "X: 1"), ("1.1", "Connection: close")])
async def test_a_connection_is_closed_where_the_client_wants_it(wire: Wire, version: str, header: str) -> None:
    await wire.send(wire.request("ping", header, version=version) + wire.request())
    assert await wire.told() == "pong"
    assert await wire.ends()


async def test_http_1_0_may_keep_a_connection(wire: Wire) -> None:
    await wire.send(wire.request("ping", "Connection: keep-alive", version="1.0"))
    assert (await wire.reply())[1]["connection"] == "keep-alive"
    await wire.send(wire.request())
    assert await wire.told() == "pong"


@pytest.mark.parametrize("offered", ["websocket", "h2c"])
async def test_another_protocol_is_declined_and_the_request_served(wire: Wire, offered: str) -> None:
    await wire.send(wire.request("ping", "Connection: Upgrade", f"Upgrade: {offered}") + wire.request("funds"))
    assert [await wire.told() for _ in range(2)] == ["pong", "funds"]


async def test_an_offer_of_another_protocol_does_not_hide_what_is_expected(wire: Wire) -> None:
    asked = wire.request("ping", "Expect: tea", "Connection: Upgrade", "Upgrade: h2c")
    await wire.send(asked + wire.request("funds"))
    assert (await wire.reply())[0] == 417
    assert await wire.told() == "funds"


async def test_a_body_over_the_limit_is_refused_at_once_and_read_to_its_end(running: Desk, wire: Wire) -> None:
    await wire.send(wire.head("ping", f"Content-Length: {LARGEST_BODY + 5}") + bytes(LARGEST_BODY + 1))
    assert (await wire.reply())[0] == 413
    await wire.send(b"1234", wire.request())
    assert await wire.told() == "pong"
    assert running.world.accounts[0].calls == 1


async def test_a_chunked_body_over_the_limit_is_refused(wire: Wire) -> None:
    chunk = b"%x\r\n%b\r\n" % (LARGEST_BODY + 1, bytes(LARGEST_BODY + 1))
    await wire.send(wire.head("ping", "Transfer-Encoding: chunked", "Connection: close") + chunk + b"0\r\n\r\n")
    assert (await wire.reply())[0] == 413
    assert await wire.ends()


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\x00\x01\x02\r\n\r\n",
        bytes.fromhex("1603010200010001fc0303"),
        b"TEA / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/7\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"x" * (LARGEST_HEAD + 1),
    ],
)
async def test_nonsense_is_answered_400_after_what_came_before_it(
    wire: Wire, nonsense: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    await wire.send(wire.request() + nonsense)
    assert await wire.told() == "pong"
    status, headers, _ = await wire.reply()
    assert (status, headers["connection"]) == (400, "close")
    assert await wire.ends()
    assert not caplog.records


async def test_a_dropped_call_is_never_answered(running: Desk, wire: Wire) -> None:
    running.arm("drop_before", endpoint="ping")
    await wire.send(wire.request() + wire.request())
    assert await wire.ends()
    assert running.world.accounts[0].calls == 1


async def test_a_hanging_call_is_silent_until_its_client_leaves(running: Desk, wire: Wire) -> None:
    running.arm("timeout_before_accept", endpoint="ping")
    await wire.send(wire.request() + wire.request())
    assert await wire.silent()
    await wire.send(wire.request())
    server = running.runtime.rests[0]
    assert len(server.connections) == 1
    wire.writer.close()
    async with asyncio.timeout(PATIENCE_S):
        while server.connections:
            await asyncio.sleep(0.01)
    assert running.world.accounts[0].calls == 1


async def test_a_hanging_call_ends_one_day(running: Desk, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator.http, "LONGEST_HANG_S", 0.05)
    running.arm("timeout_before_accept", endpoint="ping")
    await wire.send(wire.request())
    assert await wire.ends()


async def test_a_late_answer_on_one_connection_delays_no_other(running: Desk, wire: Wire) -> None:
    running.world.accounts[0].latency_ms = {"funds": 1000.0 * PATIENCE_S, "ping": 50.0}
    await wire.send(wire.request("funds"))
    loop = asyncio.get_running_loop()
    async with connected(running) as other:
        started = loop.time()
        await other.send(other.request())
        assert await other.told() == "pong"
        assert loop.time() - started >= 0.049
    assert await wire.silent(0.01)


async def test_who_does_not_read_its_answers_is_not_read_from(running: Desk, wire: Wire) -> None:
    calls = 2000
    body = json.dumps({"apikey": wire.key, "symbol": "x" * 20_000}).encode()
    asked = wire.head("x" * 8_000, f"Content-Length: {len(body)}").replace(b"/api/v1/", b"/api/v1/y") + body
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(wire.send(*(asked for _ in range(calls))))
        await asyncio.sleep(0.3)
        assert not sending.done()
        for _ in range(calls):
            assert (await wire.reply())[0] == 404


async def test_a_flaw_of_ours_is_a_500_and_the_end(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(simulator.http, "dispatch", lambda *_: 1 // 0)
    await wire.send(wire.request())
    assert (await wire.reply())[0] == 500
    assert await wire.ends()
    assert "ZeroDivisionError" in caplog.text


async def stop_within_a_second(desk: Desk) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    await desk.runtime.stop()
    assert loop.time() - started < 1.0
    assert not desk.runtime.rests[0].connections


async def test_stopping_closes_open_connections(desk: Desk) -> None:
    before = asyncio.all_tasks()
    await desk.runtime.start()
    async with connected(desk) as idle, connected(desk) as halfway:
        await halfway.send(halfway.request()[:40])
        await idle.send(idle.request())
        assert await idle.told() == "pong"
        await stop_within_a_second(desk)
        assert await idle.ends()
        assert await halfway.ends()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


async def test_stopping_lets_an_answer_under_way_leave_and_waits_for_no_long_one(desk: Desk) -> None:
    await desk.runtime.start()
    desk.world.accounts[0].latency_ms = {"ping": 200.0, "funds": 60_000.0}
    desk.arm("timeout_after_accept", endpoint="intervals")
    async with connected(desk) as soon, connected(desk) as late, connected(desk) as never:
        await soon.send(soon.request() + soon.request())
        await late.send(late.request("funds"))
        await never.send(never.request("intervals"))
        assert await never.silent(0.05)
        await stop_within_a_second(desk)
        assert await soon.told() == "pong"
        assert await soon.ends()
        assert await late.ends()
        assert await never.ends()
    assert desk.world.accounts[0].calls == 3


@pytest.mark.parametrize(
    ("asked", "path", "query"),
    [
        ("/a%20b%2Fc+d", "/a b/c+d", {}),
        ("//a/../b?", "//a/../b", {}),
        ("/?x=1&x=2&y=%20+z&w&=3&%61=%C3%A4#f?g=1", "/", {"x": "1", "y": "  z", "w": "", "": "3", "a": "ä"}),
        ("/%zz/%?a=%zz&b=%&c=d;e=1", "/%zz/%", {"a": "%zz", "b": "%", "c": "d;e=1"}),
        ("/%FF?a=%FF", "/%FF", {"a": "\N{REPLACEMENT CHARACTER}"}),
        ("http://host:80/a%20b?c=1", "/a b", {"c": "1"}),
        ("http://host", "/", {}),
    ],
)
def test_a_target_is_decoded(asked: str, path: str, query: dict[str, str]) -> None:
    assert target(asked.encode()) == (path, query)
