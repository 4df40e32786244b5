"""One pooled HTTP connection set to one OpenAlgo server. Says what came back, judges nothing, retries nothing."""

from __future__ import annotations

import json
import logging
import ssl
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

import httpx
from django.conf import settings

from accounts.gateway.pinned import AddressRefused, PinnedTransport
from accounts.gateway.reports import NoReply, RawReply
from algomirror.kernel import clock

log = logging.getLogger(__name__)

API = "/api/v1/"
# Shorter than what usual servers allow (gunicorn: 2 s): an order must not go out on a connection that is just being closed.
KEEP_ALIVE_S = 1.5
MAX_BYTES = 64 * 1024 * 1024
_TEXT_KEPT = 400
_PLAIN = {"accept": "application/json, text/csv", "accept-encoding": "gzip, deflate", "user-agent": "algomirror"}
_JSON = _PLAIN | {"content-type": "application/json"}


@cache
def _tls() -> ssl.SSLContext:
    """Building one takes 20 ms, so all accounts share it."""
    return httpx.create_ssl_context(trust_env=False)


def _outward() -> httpx.BaseTransport:
    limits = httpx.Limits(max_connections=16, max_keepalive_connections=8, keepalive_expiry=KEEP_ALIVE_S)
    return PinnedTransport(httpx.HTTPTransport(verify=_tls(), trust_env=False, limits=limits))


class TooLarge(Exception):
    """The reply went past MAX_BYTES or past its deadline while still arriving."""


class Wire:
    """Thread-safe. Never raises for what the far side does; the key travels in bodies and is cut out of every reply."""

    def __init__(self, host_url: str, key: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self._key = key
        self._base = host_url.rstrip("/") + API
        self._urls: dict[str, httpx.URL] = {}
        self._transport = transport or _outward()

    def __repr__(self) -> str:
        return f"Wire({self._base})"

    def post(self, endpoint: str, body: dict[str, Any], *, timeout_s: float) -> RawReply | NoReply:
        content = json.dumps({"apikey": self._key, **body}, allow_nan=False).encode()
        return self._ask("POST", endpoint, timeout_s, headers=_JSON, content=content)

    def get(self, endpoint: str, query: dict[str, str], *, timeout_s: float) -> RawReply | NoReply:
        """The server reads the key of a GET from the query string only; used for the contract list alone."""
        return self._ask("GET", endpoint, timeout_s, headers=_PLAIN, params={"apikey": self._key, **query})

    def _url(self, endpoint: str) -> httpx.URL:
        if endpoint not in self._urls:
            url = httpx.URL(self._base + endpoint)
            if url.scheme not in ("http", "https") or not url.host:
                raise httpx.UnsupportedProtocol("no http(s) host")
            self._urls[endpoint] = url
        return self._urls[endpoint]

    def _ask(self, method: str, endpoint: str, timeout_s: float, **parts: Any) -> RawReply | NoReply:
        """Straight to the transport: cookies, redirects and proxies of a client have no place here, and cost twice its time."""
        try:
            limits = {
                "connect": settings.CONNECT_TIMEOUT_S,
                "pool": settings.CONNECT_TIMEOUT_S,
                "read": timeout_s,
                "write": timeout_s,
            }
            request = httpx.Request(method, self._url(endpoint), extensions={"timeout": limits}, **parts)
            response = self._transport.handle_request(request)
            try:
                return self._reply(response, clock.monotonic() + timeout_s)
            finally:
                response.close()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
            return NoReply(reached=False, text=_said(error), timed_out=isinstance(error, httpx.TimeoutException))
        except httpx.InvalidURL:
            return NoReply(reached=False, text="the host address is not valid")
        except httpx.TimeoutException as error:
            return NoReply(reached=True, text=_said(error), timed_out=True)
        except (httpx.HTTPError, httpx.StreamError, TooLarge) as error:
            return NoReply(reached=True, text=_said(error))

    def _reply(self, response: httpx.Response, deadline: float) -> RawReply:
        if 300 <= response.status_code < 400:
            return RawReply(response.status_code, None, f"redirect to {response.headers.get('location', '')[:200]}")
        raw = bytearray()
        for chunk in response.iter_bytes():
            raw += chunk
            if len(raw) > MAX_BYTES or clock.monotonic() > deadline:
                raise TooLarge
        text = raw.decode("utf-8", errors="replace")
        if self._key:
            text = text.replace(self._key, "***")
        if response.headers.get("content-type", "").startswith("text/csv"):
            return RawReply(response.status_code, text)
        return RawReply(response.status_code, read_json(text), text[:_TEXT_KEPT])

    def close(self) -> None:
        self._transport.close()


def read_json(text: str) -> Any:
    """JSON with exact decimals; NaN and Infinity become None, and so does text that is no JSON at all."""
    try:
        return json.loads(text, parse_float=_exact, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None


def _exact(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


# Never the exception's own words: some of them quote the URL, and that may carry the key.
_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (httpx.ConnectTimeout, "no connection within the time limit"),
    (httpx.PoolTimeout, "all connections to this server are busy"),
    (AddressRefused, "the host name points to an address that is not allowed"),
    (httpx.ConnectError, "nothing answers there: wrong host or port, or the server is down"),
    (httpx.UnsupportedProtocol, "the host must start with http:// or https://"),
    (httpx.TimeoutException, "no answer within the time limit"),
    (httpx.RemoteProtocolError, "the connection broke before the answer was complete"),
    (httpx.NetworkError, "the connection broke"),
    (TooLarge, "the answer was too long or too slow"),
)


def _said(error: Exception) -> str:
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return _tls_words(str(error)) or words if isinstance(error, httpx.ConnectError) else words
    return type(error).__name__


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
