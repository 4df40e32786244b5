"""What one socket may say and what it is told. Pure: text in, messages out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from simulator.account import USER, AccountServer
from simulator.clock import epoch_ms

Message = dict[str, Any]
LABELS = {1: "LTP", 2: "Quote", 3: "Depth"}
CONNECTIONS, PER_CONNECTION = 3, 1000
GUARDED = frozenset({"subscribe", "unsubscribe", "unsubscribe_all", "subscribe_orders", "unsubscribe_orders", "get_broker_info"})


class BadMode(ValueError):
    pass


def mode_of(asked: Any) -> int:
    """1, 2 or 3 from a number or a name. Raises BadMode with the server's text."""
    if isinstance(asked, bool):
        raise BadMode(f"Mode must be int or str, got bool ({asked})")
    if isinstance(asked, int):
        if asked in LABELS:
            return asked
        raise BadMode(f"Invalid mode {asked}; expected 1 (LTP), 2 (Quote), or 3 (Depth)")
    if isinstance(asked, str):
        for mode, label in LABELS.items():
            if asked.strip().lower() == label.lower():
                return mode
        raise BadMode(f"Invalid mode {asked!r}; expected 'LTP', 'Quote', or 'Depth' (case-insensitive)")
    raise BadMode(f"Mode must be int or str, got {type(asked).__name__}")


def failure(code: str, text: str) -> Message:
    return {"status": "error", "code": code, "message": text}


class Session:
    """One socket. `modes` maps (exchange, symbol) to the modes held."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.authenticated = False
        self.has_adapter = False
        self.wants_orders = False
        self.modes: dict[tuple[str, str], set[int]] = {}

    @property
    def account(self) -> AccountServer:
        return self.hub.account

    @property
    def entries(self) -> int:
        return sum(len(held) for held in self.modes.values())

    def receive(self, raw: str | bytes) -> list[Message]:
        """Answer one frame; text and binary are read alike."""
        try:
            text = raw.decode() if isinstance(raw, bytes) else raw
            message = json.loads(text)
        except UnicodeDecodeError as error:
            return [failure("SERVER_ERROR", str(error))]
        except ValueError:
            return [failure("INVALID_JSON", "Invalid JSON message")]
        if not isinstance(message, dict):
            return [failure("SERVER_ERROR", f"'{type(message).__name__}' object has no attribute 'get'")]
        try:
            return [self._act(message)]
        except (AttributeError, TypeError) as error:
            return [failure("SERVER_ERROR", str(error))]

    def _act(self, message: Message) -> Message:
        action = message.get("action") or message.get("type")
        if action in GUARDED and not self.authenticated:
            return failure("NOT_AUTHENTICATED", "You must authenticate first")
        if action in ("authenticate", "auth"):
            return self._authenticate(message)
        if action == "ping":
            return self._pong(message)
        if action == "subscribe":
            return self._subscribe(message)
        if action in ("unsubscribe", "unsubscribe_all"):
            return self._unsubscribe(message, everything=action == "unsubscribe_all")
        if action in ("subscribe_orders", "unsubscribe_orders"):
            return self._orders(message, str(action))
        if action == "get_broker_info":
            return {
                "type": "broker_info",
                "status": "success",
                "broker": self.account.broker_name,
                "adapter_status": "connected",
                "user_id": USER,
            }
        if action == "get_supported_brokers":
            return {
                "type": "supported_brokers",
                "status": "success",
                "brokers": [self.account.broker_name],
                "count": 1,
            }
        return failure("INVALID_ACTION", f"Invalid action: {action}")

    def _authenticate(self, message: Message) -> Message:
        key = message.get("api_key") or message.get("apikey")
        if not key:
            return failure("AUTHENTICATION_ERROR", "API key is required")
        if not isinstance(key, str):
            raise AttributeError(f"'{type(key).__name__}' object has no attribute 'encode'")
        if key != self.account.api_key:
            return failure("AUTHENTICATION_ERROR", "Invalid API key")
        self.authenticated = True
        if self.account.faults.hit("token_expired", self.account.index, "stream") is not None:
            # The socket then counts as authenticated although no feed stands behind it.
            return failure("BROKER_ERROR", "No broker configuration found for user")
        self.has_adapter = True
        return {
            "type": "auth",
            "status": "success",
            "message": "Authentication successful",
            "broker": self.account.broker_name,
            "user_id": USER,
            "supported_features": {"ltp": True, "quote": True, "depth": True},
        }

    def _pong(self, message: Message) -> Message:
        skew = self.account.faults.hit("clock_skew", self.account.index, "stream")
        ahead_ms = 0 if skew is None else int(float(skew.params["seconds"]) * 1000)
        pong: Message = {
            "type": "pong",
            "status": "success",
            "server_timestamp": epoch_ms(self.account.market.clock.now()) + ahead_ms,
        }
        if "timestamp" in message:
            pong["client_timestamp"] = message["timestamp"]
        if "_pingId" in message:
            pong["_pingId"] = message["_pingId"]
        return pong

    def _orders(self, message: Message, action: str) -> Message:
        self.wants_orders = action == "subscribe_orders"
        verb = "Subscribed to" if self.wants_orders else "Unsubscribed from"
        told = {"type": action, "status": "success", "message": f"{verb} order updates"}
        return _echo(message, told)

    def _subscribe(self, message: Message) -> Message:
        if not self.has_adapter:
            return failure("BROKER_ERROR", "Broker adapter not found")
        wanted = _wanted(message)
        if not wanted:
            return failure("INVALID_PARAMETERS", "At least one symbol must be specified")
        try:
            mode = mode_of(message.get("mode", 2))
        except BadMode as error:
            return failure("INVALID_MODE", str(error))
        depth = message.get("depth", 5)
        results = [self._subscribe_one(item, mode, depth) for item in _complete(wanted)]
        good = all(r["status"] == "success" for r in results)
        return _echo(
            message,
            {
                "type": "subscribe",
                "status": "success" if good else "partial",
                "subscriptions": results,
                "message": "Subscription processing complete",
                "broker": self.account.broker_name,
            },
        )

    def _subscribe_one(self, item: Mapping[str, Any], mode: int, depth: Any) -> Message:
        symbol, exchange = item["symbol"], item["exchange"]
        told = {"symbol": symbol, "exchange": exchange}
        broker = self.account.broker_name
        held = self.modes.get((exchange, symbol), set())
        if mode not in held and self.hub.entries >= self.hub.capacity:
            return {**told, "status": "error", "message": self.hub.full_text(), "broker": broker}
        if self.account.market.find(exchange, symbol) is None:
            text = f"Token not found for {symbol} on {exchange}"
            return {**told, "status": "error", "message": text, "broker": broker}
        self.modes.setdefault((exchange, symbol), set()).add(mode)
        self.hub.forgotten.discard((exchange, symbol))
        self.hub.changed()
        return {**told, "status": "success", "mode": LABELS[mode], "depth": depth, "broker": broker}

    def _unsubscribe(self, message: Message, *, everything: bool) -> Message:
        done: list[Message] = []
        failed: list[Message] = []
        if everything:
            done = [self._gone(s, e) for (e, s), held in self.modes.items() for _ in held]
            self.modes.clear()
        else:
            wanted = _wanted(message)
            if not wanted:
                return failure("INVALID_PARAMETERS", "Either symbols or unsubscribe_all is required")
            for item in _complete(wanted):
                self._unsubscribe_one(item, done, failed)
        self.hub.changed()
        status = "success" if not failed else "partial" if done else "error"
        return _echo(
            message,
            {
                "type": "unsubscribe",
                "status": status,
                "message": "Unsubscription processing complete",
                "successful": done,
                "failed": failed,
                "broker": self.account.broker_name,
            },
        )

    def _unsubscribe_one(self, item: Mapping[str, Any], done: list[Message], failed: list[Message]) -> None:
        symbol, exchange = item["symbol"], item["exchange"]
        try:
            mode = mode_of(item.get("mode", 2))
        except BadMode as error:
            failed.append({**self._gone(symbol, exchange), "status": "error", "message": str(error)})
            return
        held = self.modes.get((exchange, symbol), set())
        held.discard(mode)
        if not held:
            self.modes.pop((exchange, symbol), None)
        done.append(self._gone(symbol, exchange))

    def _gone(self, symbol: str, exchange: str) -> Message:
        return {"symbol": symbol, "exchange": exchange, "status": "success", "broker": self.account.broker_name}


class Hub:
    """All sockets of one account. Capacity is per user, not per socket."""

    def __init__(self, account: AccountServer, capacity: int = CONNECTIONS * PER_CONNECTION) -> None:
        self.account = account
        self.capacity = capacity
        self.sessions: set[Session] = set()
        self.forgotten: set[tuple[str, str]] = set()
        self.frozen: dict[tuple[str, str, int], bytes] = {}
        self._union: dict[tuple[str, str], set[int]] | None = None

    @property
    def entries(self) -> int:
        return sum(s.entries for s in self.sessions)

    def full_text(self) -> str:
        return (
            f"Maximum capacity reached: {CONNECTIONS} connections × {PER_CONNECTION} symbols = {self.capacity} "
            f"symbols. Currently subscribed to {self.entries} symbols."
        )

    def join(self) -> Session:
        session = Session(self)
        self.sessions.add(session)
        return session

    def leave(self, session: Session) -> None:
        self.sessions.discard(session)
        self.changed()

    def changed(self) -> None:
        self._union = None

    def wanted(self) -> dict[tuple[str, str], set[int]]:
        """Modes asked of the broker per (exchange, symbol): every mode any socket holds."""
        if self._union is None:
            self._union = {}
            for session in self.sessions:
                for key, held in session.modes.items():
                    self._union.setdefault(key, set()).update(held)
        return self._union

    def drop_adapter(self) -> None:
        """A broker re-login: sockets stay open, subscriptions are forgotten, order updates survive."""
        for session in self.sessions:
            session.has_adapter = False
            session.modes.clear()
        self.changed()


def _wanted(message: Message) -> list[Any]:
    symbols = message.get("symbols")
    if symbols:
        return list(symbols)
    if message.get("symbol") and message.get("exchange"):
        return [{k: message[k] for k in ("symbol", "exchange", "mode") if k in message}]
    return []


def _complete(wanted: Iterable[Any]) -> list[Mapping[str, Any]]:
    """Entries without symbol or exchange are dropped silently, as on the server."""
    return [item for item in wanted if item.get("symbol") and item.get("exchange")]


def _echo(message: Message, reply: Message) -> Message:
    if "request_id" in message:
        reply["request_id"] = message["request_id"]
    return reply
