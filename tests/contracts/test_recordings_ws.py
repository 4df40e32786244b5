"""The simulator's socket protocol answers recorded WebSocket scenes as the recorded server did."""

from __future__ import annotations

import ast
import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

from simulator.stream.protocol import Hub, Message, Session
from simulator.stream.ticks import TickWriter
from simulator.world import World
from tests.contracts.replay import RECORDED_KEY, Replay, Row, differences, load, recorded_world

FILES = (
    "ws-auth",
    "ws-docs-vs-server",
    "ws-errors",
    "ws-misc",
    "ws-orders",
    "ws-subscribe",
    "ws-ticks",
    "ws-unsubscribe",
)
OPTION = "NIFTY23NOV2626000CE"
NOT_COMPARABLE = {
    "frame above 1 MiB": "the socket library closes it (1009): shown in tests/simulator/test_sockets.py",
    "idle without authenticating": "no message, only the 4401 close: shown in tests/simulator/test_sockets.py",
    "protocol level ping from client": "answered by the socket library, nothing reaches the protocol",
    "authenticated client that never answers protocol pings": "recorded as raw frames below the protocol; "
    "the simulator pings every 20 s through aiohttp and gives up earlier than the recorded 40 s",
    "authenticated and idle for 75 s, no subscription (library answers protocol pings)": "nothing is said in 75 s",
}


def scenes() -> Iterator[Any]:
    for file in FILES:
        grouped: dict[str, list[Row]] = defaultdict(list)
        for row in load(file):
            grouped[row["scenario"]].append(row)
        for name, rows in grouped.items():
            reason = NOT_COMPARABLE.get(name)
            marks = [pytest.mark.skip(reason=reason)] if reason else []
            yield pytest.param(rows, id=f"{file}: {name}", marks=marks)


class Stage:
    """Recorded sockets played against one hub."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.replay = Replay(world)
        self.hub = Hub(world.accounts[0])
        self.updates: list[Message] = []
        world.accounts[0].sink = self._update
        world.accounts[0].broker_name = "stub"
        self.sessions: dict[int, Session] = {}
        self.replies: dict[int, list[Message]] = defaultdict(list)

    def _update(self, message: Message) -> None:
        if any(s.wants_orders for s in self.hub.sessions):
            self.updates.append(message)

    def session(self, connection: int) -> Session:
        if connection not in self.sessions:
            self.sessions[connection] = self.hub.join()
        return self.sessions[connection]

    def say(self, connection: int, said: Any) -> None:
        session = self.session(connection)
        raw: str | bytes = said if isinstance(said, str) else json.dumps(said)
        if isinstance(raw, str) and raw.startswith("<binary frame "):
            raw = ast.literal_eval(raw.removeprefix("<binary frame ").removesuffix(">"))
        if isinstance(raw, str):
            raw = RECORDED_KEY.sub(session.account.api_key, raw)
        self.replies[connection] += session.receive(raw)

    def heard(self, connection: int, recorded: Message) -> list[str]:
        if recorded.get("type") == "market_data":
            return self._tick_like(connection, recorded)
        if recorded.get("type") == "order_update":
            return list(differences(_bare(recorded), _bare(self.updates.pop(0)))) if self.updates else ["no update"]
        if not self.replies[connection]:
            return [f"no reply where {recorded} was recorded"]
        return list(differences(recorded, self.replies[connection].pop(0)))

    def _tick_like(self, connection: int, recorded: Message) -> list[str]:
        self.world.tick()
        frames = [json.loads(f) for s, f in TickWriter(self.world.market).frames(self.hub) if s is self.session(connection)]
        same = [
            f
            for f in frames
            if (f["symbol"], f["mode"], f["data"]["mode"]) == (recorded["symbol"], recorded["mode"], _adapter_mode(recorded))
        ]
        if not same:
            return [f"no such tick: {recorded['symbol']} mode {recorded['mode']}"]
        # A rare recorded LTP tick, cut from a richer one, lacks symbol, exchange, mode and ltt.
        if "ltt" not in recorded["data"]:
            return [k for k in recorded["data"] if k not in same[0]["data"]]
        return list(differences(recorded, same[0]))

    def http(self, row: Row) -> None:
        message = row["message"]
        request = {"method": "POST", "path": f"/api/v1/{message['path']}", "body": message["body"]}
        request["body"] = {"apikey": "test-api-key-000", **request["body"]}
        self.replay.send({"request": request, "response": row["reply"]})

    def market_moved(self, text: str) -> None:
        self.world.set_price("NFO", OPTION, 71.95 if "NIFTY -0.4 %" in text else 199.0)
        self.world.tick()


def _adapter_mode(recorded: Message) -> str:
    return str(recorded["data"].get("mode", "ltp"))


def _bare(update: Message) -> Message:
    """Without ids and prices, which belong to the synthetic broker."""
    dropped = ("orderid", "price", "average_price", "trigger_price", "user_id")
    return {k: (type(v).__name__ if k in dropped else v) for k, v in update.items()}


@pytest.mark.parametrize("rows", list(scenes()))
def test_it_plays_the_recorded_scene(rows: list[Row]) -> None:
    world = recorded_world(always_open=True)
    stage = Stage(world)
    world.set_price("NFO", OPTION, 118.0)
    wrong: list[str] = []
    replies = [r["message"] for r in rows if r["dir"] == "http-reply"]
    for row in rows:
        said, connection = row["message"], row["conn"]
        if row["dir"] == "client->server":
            stage.say(connection, said)
        elif row["dir"] == "http":
            stage.http({**row, "reply": replies.pop(0)})
        elif row["dir"] == "server->client":
            if connection not in stage.sessions:
                # Some scenes were recorded from after the handshake on.
                stage.say(connection, {"action": "authenticate", "api_key": "test-api-key-000"})
            wrong += stage.heard(connection, said)
        elif isinstance(said, str) and said.startswith("market moved"):
            stage.market_moved(said)
    assert wrong == []
