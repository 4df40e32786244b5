"""Faults of the transport: what happens to a request before and to a reply after the work."""

from __future__ import annotations

import re
from typing import Any

import orjson

from simulator.account import AccountServer
from simulator.limits import Limits, text_of
from simulator.rest.core import JSON, Outcome, outcome

_SYMBOL = re.compile(rb'"symbol"\s*:\s*"([^"]*)"')
_BAD_GATEWAY = (
    b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    b"<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
)
_PAGE = b'<!doctype html>\n<html lang="en"><head><title>simulator</title></head><body></body></html>\n'
HTML = "text/html; charset=utf-8"


def symbol_in(body: bytes) -> str:
    """The first symbol named in a body, for fault filters."""
    found = _SYMBOL.search(body)
    return found[1].decode(errors="replace") if found is not None else ""


def page(path: str) -> Outcome:
    return Outcome(200 if path == "/" else 404, _PAGE, HTML)


def before(account: AccountServer, endpoint: str, symbol: str) -> Outcome | None:
    """The outcome of a request that never reaches the handler."""

    def hit(kind: str) -> bool:
        return account.faults.hit(kind, account.index, endpoint, symbol) is not None

    if hit("drop_before"):
        return Outcome(0, b"", transport="drop")
    if hit("timeout_before_accept"):
        return Outcome(0, b"", transport="hang")
    if hit("rate_limited"):
        return outcome(429, {"message": text_of(Limits().order)})
    for kind in ("http_5xx", "html_502"):
        fault = account.faults.hit(kind, account.index, endpoint, symbol, {"accepted": False})
        if fault is not None:
            return _failed(kind, fault.params)
    return None


def after(account: AccountServer, endpoint: str, symbol: str, reply: Outcome) -> Outcome:
    """The reply as it reaches the client, once the work is done."""

    def hit(kind: str) -> Any:
        return account.faults.hit(kind, account.index, endpoint, symbol)

    if hit("timeout_after_accept"):
        return Outcome(reply.status, b"", transport="hang")
    if hit("lost_reply"):
        return Outcome(reply.status, b"", transport="drop")
    for kind in ("http_5xx", "html_502"):
        fault = account.faults.hit(kind, account.index, endpoint, symbol, {"accepted": True})
        if fault is not None:
            return _failed(kind, fault.params)
    if hit("wrong_number_types") and reply.content_type == JSON:
        reply = Outcome(reply.status, orjson.dumps(_as_text(orjson.loads(reply.payload))), JSON)
    if hit("broken_body"):
        reply = Outcome(reply.status, reply.payload[: max(len(reply.payload) // 2, 1)], reply.content_type)
    return reply


def flip_mode(account: AccountServer, endpoint: str, symbol: str) -> None:
    """Somebody used the analyzer switch in the server's own pages just before this order."""
    if account.faults.hit("mode_flip", account.index, endpoint, symbol) is not None:
        account.analyze = not account.analyze


def _failed(kind: str, params: dict[str, Any]) -> Outcome:
    if kind == "html_502":
        return Outcome(502, _BAD_GATEWAY, "text/html")
    status = int(params["status"])
    return outcome(status, {"message": "Failed to place order due to internal error", "status": "error"})


def _as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _as_text(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_as_text(v) for v in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value
