"""Every frame a real server was seen to send, through the reader and the stream, with every field accounted for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from algomirror.kernel import clock
from marketdata.domain.quotes import Quote, Source
from marketdata.feed.client import Dropped, Endpoint, Stream
from marketdata.feed.parse import Partial, decode, market_data
from marketdata.feed.tape import Tape

RECORDINGS = Path(__file__).parents[1] / "contracts" / "recordings"
KEY = "test-api-key"

# Envelope of a tick: what we read, and what we know and leave.
READ_AROUND = {"type", "symbol", "exchange", "data", "broker"}
LEFT_AROUND = {"mode": "our own, repeated"}
READ = {"symbol", "exchange", "ltp", "depth", "oi", "open_interest", "volume", "close", "timestamp", "ltt"}
LEFT = {
    "mode": "the adapter's word for it",
    "open": "of the day; candles are built from ticks and from history",
    "high": "of the day",
    "low": "of the day",
    "last_quantity": "size of one trade; no rule of ours asks it",
    "average_price": "of the day's trades; no rule asks it",
    "total_buy_quantity": "of all levels; we use the touch",
    "total_sell_quantity": "of all levels; we use the touch",
    "price_change": "counted from the previous close by the page",
    "price_change_percent": "likewise",
    "exchange_timestamp": "repeats timestamp",
}
LEVEL_READ, LEVEL_LEFT = {"price", "quantity"}, {"orders": "how many orders make the level"}


def frames() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(RECORDINGS.glob("ws-*.jsonl")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            row = json.loads(line)
            if row["dir"] == "server->client" and isinstance(row["message"], dict):
                yield f"{path.stem}:{number}", row["message"]


TICKS = [(name, message) for name, message in frames() if message.get("type") == "market_data"]


def first(data: dict[str, Any], *names: str) -> Any:
    return next((data[name] for name in names if name in data), None)


@pytest.mark.parametrize(("name", "message"), TICKS, ids=[name for name, _ in TICKS])
def test_every_field_of_a_recorded_tick_is_read_or_left_on_purpose(name: str, message: dict[str, Any]) -> None:
    data = message["data"]
    assert set(message) <= READ_AROUND | set(LEFT_AROUND)
    assert set(data) <= READ | set(LEFT)
    for side in ("buy", "sell"):
        for level in data.get("depth", {}).get(side, []):
            assert set(level) <= LEVEL_READ | set(LEVEL_LEFT)

    tick = market_data(message)
    assert isinstance(tick, Partial)
    assert tick.key == f"{message['exchange']}:{message['symbol']}"
    assert tick.last_price == Decimal(str(data["ltp"]))
    assert tick.volume == data.get("volume")
    assert tick.open_interest == first(data, "oi", "open_interest")
    assert tick.prev_close == (Decimal(str(data["close"])) if "close" in data else None)
    assert tick.exchange_at == datetime.fromtimestamp(first(data, "timestamp", "ltt") / 1000, UTC)
    if "depth" not in data:
        assert tick.book is None
        return
    assert tick.book is not None
    buy, sell = data["depth"]["buy"][0], data["depth"]["sell"][0]
    assert (tick.book.bid, tick.book.bid_units) == (Decimal(str(buy["price"])), buy["quantity"])
    assert (tick.book.ask, tick.book.ask_units) == (Decimal(str(sell["price"])), sell["quantity"])


def test_the_recorded_ticks_make_quotes_with_receipt_stamp_and_source() -> None:
    tape, received = Tape(), clock.now()
    quotes: list[Quote] = []
    for _, message in TICKS:
        tick = market_data(decode(json.dumps(message)) or {})
        assert isinstance(tick, Partial)
        quotes += [quote] if (quote := tape.take(tick, received)) else []
    assert len(quotes) + tape.doubts + tape.repeats == len(TICKS)
    assert all(q.source is Source.STREAM and q.received_at == received and q.exchange_at for q in quotes)
    assert tape.refused == 0


class FarSide:
    """What the stream sends is kept; nothing answers."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, text: str) -> None:
        self.sent.append(json.loads(text))


def test_the_stream_takes_every_recorded_frame_and_leaves_only_when_its_login_is_gone() -> None:
    """Errors without a type, replies nobody waits for, order updates, pongs: none may break the connection."""
    taken: list[str] = []
    dropped_by: set[str | None] = set()
    for name, message in frames():
        stream = Stream(Endpoint(1, "ws://x", KEY), lambda frame, at: taken.append(frame["type"]))
        try:
            stream._take(FarSide(), message)
        except Dropped:
            dropped_by.add(message.get("code"))
        assert stream.broken_frames == 0, name
    assert dropped_by == {"AUTHENTICATION_ERROR"}
    assert taken.count("market_data") == len(TICKS)
    assert taken.count("order_update") == sum(message.get("type") == "order_update" for _, message in frames())


def test_every_recorded_answer_to_a_subscription_is_booked() -> None:
    answers = [message for _, message in frames() if message.get("type") == "subscribe"]
    assert len(answers) > 40
    for message in answers:
        stream = Stream(Endpoint(1, "ws://x", KEY), lambda frame, at: None)
        items = message["subscriptions"]
        stream.ledger.want(f"{item['exchange']}:{item['symbol']}" for item in items)
        stream._take(FarSide(), message)
        good = {f"{item['exchange']}:{item['symbol']}" for item in items if item["status"] == "success"}
        bad = {f"{item['exchange']}:{item['symbol']}" for item in items if item["status"] != "success"}
        assert stream.ledger.acknowledged == good
        assert set(stream.ledger.refused) == bad - good
        assert all(text for text, _ in stream.ledger.refused.values())


def test_a_recorded_pong_tells_the_clock() -> None:
    pong = next(message for _, message in frames() if message.get("type") == "pong" and "client_timestamp" in message)
    stream = Stream(Endpoint(1, "ws://x", KEY), lambda frame, at: None)
    ours = int(stream._read_at.timestamp() * 1000) - 40
    stream._take(FarSide(), {**pong, "client_timestamp": ours, "server_timestamp": ours + 7_020})
    assert stream.skew_s == pytest.approx(7.0, abs=0.002) and stream.round_trip_s == pytest.approx(0.04, abs=0.002)
    stream._take(FarSide(), {**pong, "client_timestamp": ours - 3_000, "server_timestamp": 0})
    assert stream.skew_s == pytest.approx(7.0, abs=0.002), "a slow road says nothing about the clock"
    nonsense: Any
    for nonsense in (None, "x", []):
        stream._take(FarSide(), {**pong, "client_timestamp": nonsense})
