"""Calls to one OpenAlgo server and what came back. Judges nothing, retries nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpx

from accounts.gateway.connection import Heard
from accounts.gateway.line import Far, Line
from accounts.gateway.reports import NoReply, RawReply
from accounts.gateway.underway import UnderWay

T = TypeVar("T")

API = "/api/v1/"
_TEXT_KEPT = 400
_PLAIN = {"accept": "application/json, text/csv", "accept-encoding": "gzip, deflate", "user-agent": "algomirror"}
_JSON = _PLAIN | {"content-type": "application/json"}


class Wire:
    """Thread-safe. Never raises for what the far side does; the key travels in bodies and is cut out of every reply."""

    def __init__(self, host_url: str, key: str, *, transport: Far | None = None) -> None:
        self._key = key
        self._base = host_url.rstrip("/") + API
        self._path = ""
        self._far: Far | NoReply
        try:
            self._far, self._path = _outward(self._base)
        except httpx.InvalidURL:
            self._far = NoReply(reached=False, text="the host address is not valid")
        if transport is not None and not isinstance(self._far, NoReply):
            self._far = transport

    def __repr__(self) -> str:
        return f"Wire({self._base})"

    def post(self, endpoint: str, body: dict[str, Any], *, timeout_s: float) -> RawReply | NoReply:
        return self._ask("POST", endpoint, _JSON, self._content(body), timeout_s)

    def get(self, endpoint: str, query: dict[str, str], *, timeout_s: float) -> RawReply | NoReply:
        """The server reads the key of a GET from the query string only; used for the contract list alone."""
        return self._ask("GET", f"{endpoint}?{urlencode({'apikey': self._key, **query})}", _PLAIN, b"", timeout_s)

    def start(
        self,
        endpoint: str,
        body: dict[str, Any],
        understand: Callable[[RawReply | NoReply], T],
        *,
        timeout_s: float,
        may_go: Callable[[], bool],
    ) -> UnderWay[T] | None:
        """As `post`, sent by now; None, and nothing sent, where that would have to wait for anything."""
        if not isinstance(self._far, Line):
            return None
        sent = self._far.start("POST", self._path + endpoint, _JSON, self._content(body), timeout_s, may_go=may_go)
        return None if sent is None else UnderWay(sent, lambda heard: understand(self._said(heard)))

    def _content(self, body: dict[str, Any]) -> bytes:
        return json.dumps({"apikey": self._key, **body}, allow_nan=False).encode()

    def _ask(self, method: str, rest: str, headers: dict[str, str], content: bytes, timeout_s: float) -> RawReply | NoReply:
        if isinstance(self._far, NoReply):
            return self._far
        return self._said(self._far.ask(method, self._path + rest, headers, content, timeout_s))

    def _said(self, heard: Heard | NoReply) -> RawReply | NoReply:
        return heard if isinstance(heard, NoReply) else self._reply(heard)

    def _reply(self, heard: Heard) -> RawReply:
        if 300 <= heard.status < 400:
            return RawReply(heard.status, None, f"redirect to {self._clean(heard.location)[:200]}")
        text = self._clean(heard.body.decode("utf-8", errors="replace"))
        if heard.content_type.startswith("text/csv"):
            return RawReply(heard.status, text)
        return RawReply(heard.status, read_json(text), text[:_TEXT_KEPT])

    def _clean(self, text: str) -> str:
        return text.replace(self._key, "***") if self._key else text

    def close(self) -> None:
        if not isinstance(self._far, NoReply):
            self._far.close()


def _outward(base: str) -> tuple[Line | NoReply, str]:
    """The way there, or why there is none; and the path that all endpoints begin with. Raises InvalidURL."""
    url = httpx.URL(base)
    if url.scheme not in ("http", "https") or not url.raw_host:
        return NoReply(reached=False, text="the host must start with http:// or https://"), ""
    is_tls = url.scheme == "https"
    # As it goes over the wire: names of other scripts are already written in ASCII here.
    host = url.raw_host.decode("ascii")
    line = Line(host, url.port or (443 if is_tls else 80), name=url.netloc.decode("ascii"), is_tls=is_tls)
    return line, url.raw_path.decode("ascii")


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
