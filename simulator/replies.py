"""An Outcome as the bytes of an HTTP reply."""

from __future__ import annotations

from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

from simulator.clock import real_seconds
from simulator.requests import Request
from simulator.rest.core import Outcome

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
SERVER = "AlgoMirror-simulator"
_REASONS = {status.value: status.phrase for status in HTTPStatus}


def reply(request: Request, result: Outcome) -> bytes:
    payload = result.payload
    opening = _opening(request.version == "1.0", result.status, result.content_type)
    if request.method == "HEAD" or _has_no_body(result.status):
        length = b"Content-Length: %d\r\n" % len(payload) if payload and not _has_no_body(result.status) else b""
        payload = b""
    else:
        length = b"Content-Length: %d\r\n" % len(payload)
    return b"".join((opening, length, _stamp(real_seconds()), _connection(request), b"\r\n", payload))


def _has_no_body(status: int) -> bool:
    return status in (204, 304) or 100 <= status < 200


def _connection(request: Request) -> bytes:
    """What the client cannot take for granted in its version of HTTP."""
    if request.version == "1.0":
        return b"Connection: keep-alive\r\n" if request.keep_alive else b""
    return b"" if request.keep_alive else b"Connection: close\r\n"


@lru_cache(maxsize=256)
def _opening(old: bool, status: int, content_type: str) -> bytes:
    version = "1.0" if old else "1.1"
    return f"HTTP/{version} {status} {_REASONS.get(status, '')}\r\nContent-Type: {content_type}\r\n".encode("latin-1")


@lru_cache(maxsize=1)
def _stamp(second: int) -> bytes:
    return f"Date: {formatdate(second, usegmt=True)}\r\nServer: {SERVER}\r\n".encode("latin-1")
