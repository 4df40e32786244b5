"""Connecting to the very address that was judged: a name that later points elsewhere leads nowhere."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from collections.abc import Callable
from urllib.parse import urlsplit

from accounts.addresses import forbidden
from algomirror.kernel import clock

# A name is asked again after so long; an address in use stays the same meanwhile.
KEPT_S = 30.0


class NotAllowed(OSError):
    """A name points to an address where no server of ours may be."""


class Pinned:
    """One server: resolves its name, judges every address found, and connects to one of those; TLS still proves the name."""

    def __init__(self, host: str, port: int, tls: Callable[[], ssl.SSLContext] | None) -> None:
        """`tls` makes the context when it is first needed; None for plain connections."""
        self._host, self._port, self._tls = host, port, tls
        self._known: tuple[float, list[str]] | None = None

    def connect(self, timeout_s: float) -> socket.socket:
        """Ready to be sent on within `timeout_s`, its name and all addresses included. Raises OSError, NotAllowed among them."""
        until = clock.monotonic() + timeout_s
        found = self._addresses()
        # The name service has time limits of its own. Whoever is kept longer than ours is given up by then, and must not send.
        _left(until)
        context = self._tls() if self._tls else None
        for number, address in enumerate(found):
            rest = found[number + 1 :]
            try:
                made = _connected(address, self._port, context, self._host, until)
            except TimeoutError:
                # No time is left for the others, so the next call begins with them.
                self._reorder([*rest, *found[: number + 1]])
                raise
            except OSError:
                if not rest:
                    self._known = None
                    raise
                continue
            if number:
                self._reorder([address, *found[:number], *rest])
            return made
        raise OSError("no address")

    def _addresses(self) -> list[str]:
        known = self._known
        if known is not None and clock.monotonic() < known[0]:
            return known[1]
        found = allowed_addresses(self._host, self._port)
        self._known = (clock.monotonic() + KEPT_S, found)
        return found

    def _reorder(self, found: list[str]) -> None:
        """The judgement gets no younger by it."""
        known = self._known
        if known is not None:
            self._known = (known[0], found)


def allowed_addresses(host: str, port: int) -> list[str]:
    """Distinct addresses in the system's order of preference. Raises NotAllowed when one of them is forbidden, OSError."""
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise OSError("name not known") from None
    found = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
    for address in found:
        if why := forbidden(ipaddress.ip_address(address.partition("%")[0])):
            raise NotAllowed(why)
    return found


def dial(url: str, *, timeout_s: float) -> socket.socket:
    """A connected socket to a ws:// or wss:// address that was judged, with TLS proven for the name. Raises OSError."""
    parts = urlsplit(url)
    is_tls, host = parts.scheme == "wss", parts.hostname or ""
    port = parts.port or (443 if is_tls else 80)
    trouble: OSError = OSError("no address")
    for address in allowed_addresses(host, port):
        try:
            context = ssl.create_default_context() if is_tls else None
            made = _connected(address, port, context, host, clock.monotonic() + timeout_s)
            made.settimeout(timeout_s)
            return made
        except OSError as error:
            trouble = error
    raise trouble


def _connected(address: str, port: int, context: ssl.SSLContext | None, host: str, until: float) -> socket.socket:
    """`address` is called, the certificate is checked against `host`."""
    plain = socket.create_connection((address, port), timeout=_left(until))
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is None:
            return plain
        plain.settimeout(_left(until))
        return context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def _left(until: float) -> float:
    left = until - clock.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
