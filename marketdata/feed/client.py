"""One websocket to one server: log in, keep what is wanted subscribed, notice silence, come back. A thread of its own."""

from __future__ import annotations

import logging
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from threading import Event, Thread
from typing import Any

import orjson
import websocket

from accounts.gateway.pinned import dial
from algomirror.kernel import clock
from marketdata.feed import frames
from marketdata.feed.ledger import Ledger
from marketdata.feed.parse import decode

log = logging.getLogger(__name__)

CONNECT_S = 12.0  # a server whose loop is stalled takes 10 s to shake hands
AUTHENTICATE_S = 35.0  # the first login connects to the broker inside the server's loop
PING_EVERY_S = 10.0
PONG_WITHIN_S = 15.0  # longer than the known 10 s stall after a stop fires; reconnecting then would only make it worse
WAITS_S = (2.0, 60.0)
PROVEN_AFTER_S = 10.0
# A stream that comes back each time and never stays is no better than one that does not come back.
FLAPS, FLAPS_WITHIN_S = 6, 300.0
# A pong that took longer says more about the road than about the clock at its end.
HONEST_PONG_S = 2.0


class Link(StrEnum):
    DOWN = "DOWN"
    CONNECTING = "CONNECTING"
    LIVE = "LIVE"
    REFUSED = "REFUSED"
    STOPPED = "STOPPED"


class Dropped(Exception):
    """The far side is gone, silent, or will not have us; reconnect."""


class LoginRefused(Dropped):
    """The key was not accepted, or the broker session behind it is gone."""


@dataclass(frozen=True)
class Endpoint:
    account_id: int
    url: str
    key: str = field(repr=False)


def wait_before(failures: int, jitter: Callable[[], float] = random.random) -> float:
    """2, 4, 8 … 60 s, each shortened by up to a half, so that many clients do not return at once."""
    shortest, longest = WAITS_S
    full = min(shortest * 2.0 ** max(failures - 1, 0), longest)
    return full * (0.5 + jitter() / 2)


class Stream(Thread):
    """Calls `on_frame(frame, received_at)` for market_data and order_update frames, in this thread."""

    def __init__(
        self,
        endpoint: Endpoint,
        on_frame: Callable[[dict[str, Any], datetime], None],
        *,
        orders: bool = False,
        pause_s: float = 0.2,
        ping_every_s: float = PING_EVERY_S,
        pong_within_s: float = PONG_WITHIN_S,
    ) -> None:
        super().__init__(name=f"stream-{endpoint.account_id}{'-orders' if orders else ''}", daemon=True)
        self.endpoint = endpoint
        self.ledger = Ledger()
        self.link = Link.DOWN
        self.failures = 0
        self.connects = 0
        self.frames = 0
        self.broken_frames = 0
        self.last_error = ""
        self.live_since: float | None = None
        self.skew_s: float | None = None
        self.skew_at: float | None = None
        self.round_trip_s: float | None = None
        self.drops: deque[float] = deque(maxlen=FLAPS)
        self._on_frame = on_frame
        self._orders = orders
        self._pause_s = pause_s
        self._ping_every_s = ping_every_s
        self._pong_within_s = pong_within_s
        self._reader: frames.FrameReader | None = None
        self._read_at = clock.now()
        self._halt = Event()
        self._log_in_again = Event()
        self._reconnect = Event()
        self._logged_in_at = 0.0
        self._heard_at = 0.0
        self._pinged_at = 0.0
        self._unanswered_since: float | None = None

    def stop(self) -> None:
        self._halt.set()

    def log_in_again(self) -> None:
        """A broker's new login silently drops subscriptions on a socket that stays open; this brings them back."""
        self._log_in_again.set()

    def reconnect(self) -> None:
        self._reconnect.set()

    @property
    def flaps(self) -> bool:
        """True when it was lost so often lately that coming back proves nothing."""
        return len(self.drops) == FLAPS and clock.monotonic() - self.drops[0] < FLAPS_WITHIN_S

    def run(self) -> None:
        while not self._halt.is_set():
            try:
                self._session()
            except LoginRefused as error:
                self._failed(Link.REFUSED, str(error))
            except (Dropped, websocket.WebSocketException, OSError, ValueError, EOFError) as error:
                self._failed(Link.DOWN, f"{type(error).__name__}: {error}")
            except Exception as error:
                log.exception("stream broke account=%s", self.endpoint.account_id)
                self._failed(Link.DOWN, type(error).__name__)
            if not self._halt.is_set():
                self._halt.wait(wait_before(self.failures))
        self.link = Link.STOPPED

    def _failed(self, link: Link, text: str) -> None:
        was_live, self.link, self.live_since = self.live_since is not None, link, None
        if self._halt.is_set():
            return
        self.failures += 1
        if was_live:
            self.drops.append(clock.monotonic())
        self.last_error = text.replace(self.endpoint.key, "***")[:200]
        log.info(
            "stream lost account=%s link=%s failures=%s why=%s", self.endpoint.account_id, link, self.failures, self.last_error
        )

    def _session(self) -> None:
        self.link = Link.CONNECTING
        self.connects += 1
        self._reconnect.clear()
        self._log_in_again.clear()
        # Judged anew at each connect: what the name meant when the account was saved says nothing about today.
        dialled = dial(self.endpoint.url, timeout_s=CONNECT_S)
        try:
            connection = websocket.create_connection(
                self.endpoint.url, timeout=CONNECT_S, socket=dialled, enable_multithread=True, redirect_limit=0
            )
        except BaseException:
            dialled.close()
            raise
        try:
            connection.settimeout(self._pause_s)
            if connection.sock is None:
                raise Dropped("closed while connecting")
            self._reader = frames.FrameReader(connection.sock)
            self._log_in(connection)
            self._wait_for_login(connection)
            self._serve(connection)
        finally:
            connection.close(timeout=0.2)

    def _log_in(self, connection: Any) -> None:
        self._logged_in_at = clock.monotonic()
        self._send(connection, {"action": "authenticate", "api_key": self.endpoint.key})

    def _wait_for_login(self, connection: Any) -> None:
        while clock.monotonic() - self._logged_in_at < AUTHENTICATE_S:
            if self._halt.is_set():
                return
            frame = self._receive(connection)
            if frame is None:
                continue
            if frame.get("type") == "auth" and frame.get("status") == "success":
                self._logged_in(connection)
                return
            if frame.get("status") == "error":
                raise LoginRefused(f"{frame.get('code')}: {frame.get('message')}")
        raise Dropped("no answer to the login")

    def _logged_in(self, connection: Any) -> None:
        self.ledger.forget_all()
        self.link = Link.LIVE
        self.live_since = self._heard_at = clock.monotonic()
        self._pinged_at = float("-inf")  # the first pong tells how far the clocks are apart
        self._unanswered_since = None
        if self._orders:
            self._send(connection, {"action": "subscribe_orders"})
        log.info("stream live account=%s orders=%s", self.endpoint.account_id, self._orders)

    def _serve(self, connection: Any) -> None:
        care_at = 0.0
        while not self._halt.is_set():
            now = clock.monotonic()
            if now >= care_at:
                care_at = now + self._pause_s
                self._care(connection, now)
            frame = self._receive(connection)
            if frame is not None:
                self._take(connection, frame)

    def _care(self, connection: Any, now: float) -> None:
        if self._reconnect.is_set():
            raise Dropped("no index ticks, connecting anew")
        if self._log_in_again.is_set():
            self._log_in_again.clear()
            self._log_in(connection)
        for frame in self.ledger.plan(now):
            self._send(connection, frame)
        self._check_pulse(connection, now)
        if self.failures and self.live_since is not None and now - self.live_since > PROVEN_AFTER_S:
            self.failures = 0

    def _check_pulse(self, connection: Any, now: float) -> None:
        """An open socket proves nothing. A ping that nothing answers in time means that it is dead."""
        if self._unanswered_since is not None and now - self._unanswered_since > self._pong_within_s:
            raise Dropped("no answer to pings")
        if now - self._pinged_at >= self._ping_every_s:
            self._pinged_at = now
            self._unanswered_since = self._unanswered_since or now
            self._send(connection, {"action": "ping", "timestamp": int(clock.now().timestamp() * 1000)})

    def _receive(self, connection: Any) -> dict[str, Any] | None:
        assert self._reader is not None
        was_read = self._reader.waiting
        message = self._reader.read()
        if message is None:
            return None
        if not was_read:
            self._read_at, self._heard_at = clock.now(), clock.monotonic()
            self._unanswered_since = None
        opcode, payload = message
        if opcode == frames.CLOSE:
            code = int.from_bytes(payload[:2], "big") if payload else 0
            raise Dropped(f"closed by the server with {code}")
        if opcode == frames.PING:
            connection.pong(payload)
        if opcode in (frames.PING, frames.PONG):
            return None
        frame = decode(payload)
        if frame is None:
            self.broken_frames += 1
        return frame

    def _send(self, connection: Any, frame: dict[str, Any]) -> None:
        connection.send(orjson.dumps(frame).decode())

    def _take(self, connection: Any, frame: dict[str, Any]) -> None:
        kind = frame.get("type")
        if kind in ("market_data", "order_update"):
            self.frames += 1
            try:
                self._on_frame(frame, self._read_at)
            except Exception:
                self.broken_frames += 1
                log.exception("frame not taken account=%s kind=%s", self.endpoint.account_id, kind)
        elif kind == "subscribe":
            self.ledger.took(frame, clock.monotonic())
        elif kind == "pong":
            self._measure_skew(frame.get("server_timestamp"), frame.get("client_timestamp"))
        elif kind == "auth" and frame.get("status") == "success":
            self._logged_in(connection)
        elif kind is None and frame.get("status") == "error":
            self._refused(str(frame.get("code")), str(frame.get("message")))

    def _measure_skew(self, theirs_ms: object, ours_ms: object) -> None:
        """Their clock less ours, taken half way between asking and hearing."""
        if not isinstance(theirs_ms, (int, float)) or not isinstance(ours_ms, (int, float)):
            return
        heard_ms = self._read_at.timestamp() * 1000
        self.round_trip_s = (heard_ms - ours_ms) / 1000
        if 0 <= self.round_trip_s <= HONEST_PONG_S:
            self.skew_s = (theirs_ms - (heard_ms + ours_ms) / 2) / 1000
            self.skew_at = clock.monotonic()

    def _refused(self, code: str, message: str) -> None:
        """Errors carry no type. Those about the login mean that our subscriptions are gone too."""
        self.last_error = f"{code}: {message}"[:200]
        log.info("stream error account=%s code=%s message=%s", self.endpoint.account_id, code, message[:200])
        if code == "AUTHENTICATION_ERROR" or code.startswith(("BROKER_INIT", "BROKER_CONN")):
            raise LoginRefused(self.last_error)
        if code in ("BROKER_ERROR", "NOT_AUTHENTICATED"):
            if clock.monotonic() - self._logged_in_at < 5.0:
                raise LoginRefused(self.last_error)
            self._log_in_again.set()
