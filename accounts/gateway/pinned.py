"""Connecting to the very address that was judged: a name that later points elsewhere leads nowhere."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from threading import Lock
from urllib.parse import urlsplit

import httpx

from accounts.addresses import forbidden
from algomirror.kernel import clock

# A name is asked again after so long; an address in use stays the same meanwhile.
KEPT_S = 30.0


class NotAllowed(OSError):
    """A name points to an address where no server of ours may be."""


class AddressRefused(httpx.ConnectError):
    """The name points to an address where no server of ours may be. Nothing was sent."""


class PinnedTransport(httpx.BaseTransport):
    """Resolves, judges every address found, and connects to one of those; TLS still proves the name.

    The next address is tried only when no connection came about, so nothing can be sent twice.
    """

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner
        self._known: dict[tuple[str, int], tuple[float, list[str]]] = {}
        self._lock = Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        found = self._addresses(host, port, request)
        for number, address in enumerate(found):
            try:
                response = self._inner.handle_request(_to(request, address, host))
            except httpx.ConnectError:
                if number == len(found) - 1:
                    self._keep(host, port, None)
                    raise
                continue
            if number:
                self._keep(host, port, [address, *found[:number], *found[number + 1 :]])
            return response
        raise httpx.ConnectError("no address", request=request)

    def _addresses(self, host: str, port: int, request: httpx.Request) -> list[str]:
        with self._lock:
            kept = self._known.get((host, port))
        if kept and clock.monotonic() < kept[0]:
            return kept[1]
        try:
            found = allowed_addresses(host, port)
        except NotAllowed as error:
            raise AddressRefused(str(error), request=request) from None
        except OSError:
            raise httpx.ConnectError("name not known", request=request) from None
        self._keep(host, port, found)
        return found

    def _keep(self, host: str, port: int, found: list[str] | None) -> None:
        with self._lock:
            if found is None:
                self._known.pop((host, port), None)
            else:
                self._known[(host, port)] = (clock.monotonic() + KEPT_S, found)

    def close(self) -> None:
        self._inner.close()


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
            plain = socket.create_connection((address, port), timeout=timeout_s)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return ssl.create_default_context().wrap_socket(plain, server_hostname=host) if is_tls else plain
        except OSError as error:
            trouble = error
    raise trouble


def _to(request: httpx.Request, address: str, host: str) -> httpx.Request:
    """The same request on the wire: the Host header stays, and the certificate is checked against the name."""
    if address == host:
        return request
    extensions = {**request.extensions, "sni_hostname": host}
    return httpx.Request(
        request.method, request.url.copy_with(host=address), headers=request.headers, stream=request.stream, extensions=extensions
    )
