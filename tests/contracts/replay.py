"""Replay a recorded exchange against the simulator and say how the two answers differ."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from simulator.clock import IST, SimClock
from simulator.rest.dispatch import dispatch
from simulator.world import World

RECORDINGS = Path(__file__).parent / "recordings"
RECORDED_KEY = re.compile(r"test-api-key-0+")
RECORDED_LOTS = {"NIFTY": 75, "BANKNIFTY": 35, "SENSEX": 20}
AT = datetime(2026, 11, 20, 10, 30, 10, tzinfo=IST)
Row = dict[str, Any]


def load(name: str) -> list[Row]:
    return [json.loads(line) for line in (RECORDINGS / f"{name}.jsonl").read_text().splitlines()]


def recorded_world(**options: Any) -> World:
    """One account at the recording's time with the recording's lots; prices pinned near the recorded ones."""
    options = {"always_open": False, "limits": None, "profile": "sandbox", **options}
    world = World(
        accounts=1,
        seed=11,
        clock=SimClock(AT, frozen=True),
        lots=RECORDED_LOTS,
        strikes_each_side=45,
        **options,
    )
    world.set_price("NSE_INDEX", "NIFTY", 25984.0)
    world.set_price("BSE_INDEX", "SENSEX", 84940.0)
    return world


class Replay:
    """Sends recorded requests, translating the key and the order ids the recording made up."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.account = world.accounts[0]
        self.ids: dict[str, str] = {}

    def send(self, row: Row) -> tuple[int, str, Any]:
        """(status, content type, body) of the simulator for one recorded request."""
        request = row["request"]
        split = urlsplit(self._translated(request["path"]))
        body = request.get("body")
        raw = b"" if body is None else (body if isinstance(body, str) else json.dumps(body)).encode()
        content_type = request.get("content_type", "application/json")
        outcome = dispatch(
            self.account,
            request["method"],
            split.path,
            content_type,
            self._translated(raw.decode()).encode(),
            dict(parse_qsl(split.query)),
        )
        self._learn(row["response"]["body"], _read(outcome.payload.decode()))
        return outcome.status, outcome.content_type, self._decoded(outcome.payload)

    def _translated(self, text: str) -> str:
        text = RECORDED_KEY.sub(self.account.api_key, text)
        for recorded, ours in self.ids.items():
            text = text.replace(recorded, ours)
        return text

    def _decoded(self, payload: bytes) -> Any:
        text = payload.decode()
        for recorded, ours in self.ids.items():
            text = text.replace(ours, recorded)
        return _read(text)

    def _learn(self, recorded: Any, ours: Any) -> None:
        if not (isinstance(recorded, dict) and isinstance(ours, dict)):
            return
        for name in ("orderid", "trigger_id"):
            if recorded.get(name) and ours.get(name):
                self.ids[str(recorded[name])] = str(ours[name])


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def differences(recorded: Any, ours: Any, where: str = "") -> Iterator[str]:
    """Keys, value types and messages that differ; prices, ids, times and counts do not matter."""
    if where.endswith((".message", ".error", ".rejection_reason")) and isinstance(recorded, str):
        if _blurred(recorded) != _blurred(str(ours)):
            yield f"{where}: {recorded!r} != {ours!r}"
    elif type(recorded) is not type(ours):
        yield f"{where}: {recorded!r} ({type(recorded).__name__}) != {ours!r} ({type(ours).__name__})"
    elif isinstance(recorded, dict):
        recorded = {k: v for k, v in recorded.items() if k != "_truncated_from"}
        for name in recorded.keys() ^ ours.keys():
            yield f"{where}.{name}: only in {'the recording' if name in recorded else 'the simulator'}"
        for name in recorded.keys() & ours.keys():
            yield from differences(recorded[name], ours[name], f"{where}.{name}")
    elif isinstance(recorded, list):
        yield from _list_differences(recorded, ours, where)
    elif where.endswith((".status", ".order_status", ".mode", ".holiday_type", ".instrumenttype")) and recorded != ours:
        yield f"{where}: {recorded!r} != {ours!r}"


def _list_differences(recorded: list[Any], ours: list[Any], where: str) -> Iterator[str]:
    if bool(recorded) != bool(ours):
        yield f"{where}: {len(recorded)} recorded items, {len(ours)} here"
    elif recorded and isinstance(recorded[0], str) and where.startswith((".errors", ".message")):
        if recorded != ours:
            yield f"{where}: {recorded!r} != {ours!r}"
    elif recorded:
        pairs = zip(recorded, ours, strict=True) if len(recorded) == len(ours) else [(recorded[0], ours[0])]
        for i, (theirs, mine) in enumerate(pairs):
            yield from differences(theirs, mine, f"{where}[{i}]")


def _blurred(text: str) -> str:
    """Amounts, order ids and counts are the synthetic broker's."""
    text = re.sub(r"₹[\d.]+", "₹#", text)
    text = re.sub(r"\b\d{8,}\b", "#", text)
    return re.sub(r"^(Found|Canceled|Closed) \d+", r"\1 #", text)
