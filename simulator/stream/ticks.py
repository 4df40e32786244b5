"""From a quote to market_data frames: each payload is written once per tick and mode, not per client."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import orjson

from simulator.clock import epoch_ms
from simulator.depth import levels
from simulator.instruments import Contract
from simulator.market import Market, Quote
from simulator.stream.protocol import Hub, Session
from simulator.view import PRICE_FAULTS

FULL_NAMES = {1: "ltp", 2: "quote", 3: "full"}
VIEW_FAULTS = (*PRICE_FAULTS, "mute_symbol", "drop_symbol", "frozen_ticks")


def payload(contract: Contract, q: Quote, mode: int, at_ms: int) -> dict[str, Any]:
    """The adapter's dictionary for one tick, keys as the Zerodha plugin sends them; times in ms."""
    base: dict[str, Any] = {
        "symbol": contract.symbol,
        "exchange": contract.exchange,
        "mode": FULL_NAMES[mode],
        "ltp": q.ltp,
        "ltt": at_ms,
        "timestamp": at_ms,
    }
    if mode == 1:
        return base
    base["volume"] = q.volume
    if contract.kind == "INDEX":
        change = q.ltp - q.prev_close
        base["price_change"] = round(change, 2)
        base["price_change_percent"] = round(change / q.prev_close * 100, 2) if q.prev_close else 0.0
    else:
        total = q.volume // 18 // contract.lot * contract.lot
        base.update(
            last_quantity=q.ltq,
            average_price=round((q.high + q.low + q.ltp) / 3, 2),
            total_buy_quantity=total + q.ltq,
            total_sell_quantity=total,
        )
    base.update(open=q.open, high=q.high, low=q.low, close=q.prev_close)
    if contract.kind == "INDEX":
        base["exchange_timestamp"] = at_ms
    elif contract.expiry is not None:
        base.update(oi=q.oi, open_interest=q.oi)
    if mode == 3 and contract.kind != "INDEX":
        buy, sell = levels(contract, q)
        base["depth"] = {
            "buy": [{"price": p, "quantity": n, "orders": o} for p, n, o in buy],
            "sell": [{"price": p, "quantity": n, "orders": o} for p, n, o in sell],
        }
    return base


class TickWriter:
    """Frames of one tick. Payload bytes are shared by all accounts unless a fault bends them."""

    def __init__(self, market: Market) -> None:
        self._market = market
        self._shared: dict[tuple[str, str, int], bytes] = {}
        self._frames: dict[tuple[str, str, int, int, str], bytes] = {}

    def frames(self, hub: Hub) -> Iterator[tuple[Session, bytes]]:
        """(socket, frame) pairs of one account, in the order they must be sent."""
        bent = hub.account.faults.any_armed(VIEW_FAULTS, hub.account.index)
        sessions = [s for s in hub.sessions if s.modes]
        for key, asked in list(hub.wanted().items()):
            if key in hub.forgotten or (bent and _is_silenced(hub, key)):
                continue
            bodies = self._bent(hub, key, asked) if bent else {}
            for tick_mode in sorted(asked, reverse=True):
                for session in sessions:
                    held = [m for m in session.modes.get(key, ()) if m <= tick_mode]
                    if not held:
                        continue
                    frame = self._frame(key, tick_mode, max(held), hub.account.broker_name, bodies.get(tick_mode))
                    if frame is not None:
                        yield session, frame

    def _frame(self, key: tuple[str, str], tick_mode: int, tag: int, broker: str, body: bytes | None) -> bytes | None:
        if body is not None:
            return _wrap(key, tag, body, broker)
        name = (*key, tick_mode, tag, broker)
        frame = self._frames.get(name)
        if frame is None:
            shared = self._body(key, tick_mode)
            if shared is None:
                return None
            frame = self._frames[name] = _wrap(key, tag, shared, broker)
        return frame

    def _body(self, key: tuple[str, str], mode: int) -> bytes | None:
        name = (*key, mode)
        body = self._shared.get(name)
        if body is None:
            contract, quote = self._market.find(*key), self._market.quote(*key)
            if contract is None or quote is None:
                return None
            body = self._shared[name] = orjson.dumps(payload(contract, quote, mode, self._now_ms()))
        return body

    def _bent(self, hub: Hub, key: tuple[str, str], asked: set[int]) -> dict[int, bytes]:
        contract, quote = self._market.find(*key), hub.account.quote(*key, "stream")
        if contract is None or quote is None:
            return {}
        write = _write_nan if math.isnan(quote.ltp) else orjson.dumps
        bodies = {mode: write(payload(contract, quote, mode, self._now_ms())) for mode in asked}
        if hub.account.faults.hit("frozen_ticks", hub.account.index, "stream", key[1]) is None:
            for mode in asked:
                hub.frozen.pop((*key, mode), None)
            return bodies
        return {mode: hub.frozen.setdefault((*key, mode), body) for mode, body in bodies.items()}

    def _now_ms(self) -> int:
        """Each payload says when it was written, not when the round of all symbols began."""
        return epoch_ms(self._market.clock.now())


def _is_silenced(hub: Hub, key: tuple[str, str]) -> bool:
    faults, account = hub.account.faults, hub.account.index
    if faults.hit("drop_symbol", account, "stream", key[1]) is not None:
        hub.forgotten.add(key)
        return True
    return faults.hit("mute_symbol", account, "stream", key[1]) is not None


def _write_nan(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()


def _wrap(key: tuple[str, str], tag: int, body: bytes, broker: str) -> bytes:
    exchange, symbol = key
    return b'{"type":"market_data","symbol":"%b","exchange":"%b","mode":%d,"data":%b,"broker":"%b"}' % (
        symbol.encode(),
        exchange.encode(),
        tag,
        body,
        broker.encode(),
    )
