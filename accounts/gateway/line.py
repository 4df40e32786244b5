"""The way to one server: a few kept connections, one request at a time on each. Nothing is repeated, for whatever reason."""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Callable, Mapping
from functools import cache
from threading import BoundedSemaphore, Lock
from typing import Protocol

import httpx
from django.conf import settings

from accounts.gateway.connection import Broken, Connection, Heard, TooLarge
from accounts.gateway.pinned import NotAllowed, Pinned
from accounts.gateway.reports import NoReply
from accounts.gateway.underway import Exchange
from algomirror.kernel import clock

# Shorter than what usual servers allow (gunicorn: 2 s): an order must not go out on a connection that is just being closed.
KEEP_ALIVE_S = 1.5
OPEN_AT_MOST = 16
KEPT_AT_MOST = 8
DROPPED = NoReply(reached=True, text="the answer was not waited for")
BUSY = NoReply(reached=False, text="all connections to this server are busy", timed_out=True)


class Far(Protocol):
    """What carries one request to an account's server. Thread-safe, never raises for what the far side does."""

    def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> Heard | NoReply: ...

    def close(self) -> None: ...


class Line:
    """The real one: HTTP/1.1 over sockets, to judged addresses only.

    Connections are the caller's own business and come before anything is sent: only what fails there was not reached.
    Cookies, redirects, proxies and the environment have no place here.
    """

    def __init__(self, host: str, port: int, *, name: str, is_tls: bool) -> None:
        """`name` is the Host header: the host as the URL writes it, with a port that is not the usual one."""
        self._name = name
        self._server = Pinned(host, port, tls if is_tls else None)
        self._idle: deque[Connection] = deque()
        self._lock = Lock()
        self._slots = BoundedSemaphore(OPEN_AT_MOST)

    def ask(self, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> Heard | NoReply:
        if not self._slots.acquire(timeout=settings.CONNECT_TIMEOUT_S):
            return BUSY
        try:
            connection = self._kept() or Connection(self._server.connect(settings.CONNECT_TIMEOUT_S))
        except OSError as error:
            self._slots.release()
            return unreached(error)
        except BaseException:
            self._slots.release()
            raise
        return _Sent(self, connection, self._request(method, target, headers, body), timeout_s).hear()

    def start(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, timeout_s: float, *, may_go: Callable[[], bool]
    ) -> Exchange[Heard | NoReply] | None:
        """As `ask`, sent by now on a kept connection. None, and nothing sent, where there is none or `may_go` says no."""
        if not self._slots.acquire(blocking=False):
            return None
        connection = None
        try:
            connection = self._kept()
            goes = connection is not None and may_go()
        except BaseException:
            self.done(connection, may_stay=False)
            raise
        if connection is None or not goes:
            self.done(connection, may_stay=True)
            return None
        return _Sent(self, connection, self._request(method, target, headers, body), timeout_s)

    def done(self, connection: Connection | None, *, may_stay: bool) -> None:
        """A connection comes back from its exchange, or from none."""
        if connection is not None and not (may_stay and self._keep(connection)):
            connection.close()
        self._slots.release()

    def _request(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
        lines = [f"{method} {target} HTTP/1.1", f"host: {self._name}", *[f"{name}: {said}" for name, said in headers.items()]]
        if body:
            lines.append(f"content-length: {len(body)}")
        return "\r\n".join([*lines, "\r\n"]).encode("ascii") + body

    def _kept(self) -> Connection | None:
        """The one used last, if it is young and nothing came on it since."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                connection = self._idle.pop()
            if clock.monotonic() - connection.used_at < KEEP_ALIVE_S and connection.is_quiet():
                return connection
            connection.close()

    def _keep(self, connection: Connection) -> bool:
        with self._lock:
            has_room = len(self._idle) < KEPT_AT_MOST
            if has_room:
                self._idle.append(connection)
        return has_room

    def close(self) -> None:
        """Connections under way end their call first; the line may be used again."""
        with self._lock:
            idle = list(self._idle)
            self._idle.clear()
        for connection in idle:
            connection.close()


class _Sent:
    """One exchange on one connection, which goes back to its line at the end, whatever that is."""

    def __init__(self, line: Line, connection: Connection, request: bytes, timeout_s: float) -> None:
        self._line, self._timeout_s = line, timeout_s
        self._connection: Connection | None = connection
        self._failed: NoReply | None = None
        try:
            connection.send(request, timeout_s)
        except OSError as error:
            self._failed = broken(error)
            self.drop()
        except BaseException:
            self.drop()
            raise
        self.until = connection.until

    def fileno(self) -> int:
        return -1 if self._connection is None else self._connection.fileno()

    def hear(self) -> Heard | NoReply:
        connection, self._connection = self._connection, None
        if connection is None:
            return self._failed or DROPPED
        may_stay = False
        try:
            heard, may_stay = connection.hear(self._timeout_s)
            return heard
        except (OSError, Broken, TooLarge) as error:
            return broken(error)
        finally:
            self._line.done(connection, may_stay=may_stay)

    def drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._line.done(connection, may_stay=False)

    __del__ = drop


@cache
def tls() -> ssl.SSLContext:
    """Building one takes 20 ms, so all accounts share it."""
    context = httpx.create_ssl_context(trust_env=False)
    context.set_alpn_protocols(["http/1.1"])
    return context


# Never the exception's own words beyond a look at them: some quote what was sent, and that carries the key.


def unreached(error: OSError) -> NoReply:
    """No connection came about, so nothing was sent."""
    if isinstance(error, NotAllowed):
        return NoReply(reached=False, text="the host name points to an address that is not allowed")
    if isinstance(error, TimeoutError):
        return NoReply(reached=False, text="no connection within the time limit", timed_out=True)
    words = "nothing answers there: wrong host or port, or the server is down"
    return NoReply(reached=False, text=_tls_words(str(error)) or words)


def broken(error: Exception) -> NoReply:
    """The request, or a part of it, may have arrived."""
    if isinstance(error, TimeoutError):
        return NoReply(reached=True, text="no answer within the time limit", timed_out=True)
    if isinstance(error, TooLarge):
        return NoReply(reached=True, text="the answer was too long")
    if isinstance(error, OSError):
        return NoReply(reached=True, text="the connection broke")
    return NoReply(reached=True, text="the connection broke before the answer was complete")


def _tls_words(said: str) -> str:
    """Why no encrypted connection came about; "" when it was not about that."""
    upper = said.upper()
    if "CERTIFICATE" in upper:
        return "the server's TLS certificate is not trusted"
    if "[SSL" not in upper:
        return ""
    plain = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_EOF", "HTTP_REQUEST")
    return (
        "something answers there, but without TLS: use http://" if any(w in upper for w in plain) else "TLS could not be agreed"
    )
