"""What every handler shares: the call, the reply, the error, the endpoint."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import orjson

from simulator.account import AccountServer
from simulator.limits import LimitClass
from simulator.rest.fields import Schema

Body = dict[str, Any]
Shape = Literal["repr", "object", "error", "failed"]
Transport = Literal["ok", "drop", "hang"]
JSON = "application/json"
INVALID_KEY = "Invalid openalgo apikey"


@dataclass(slots=True)
class Outcome:
    """What the transport has to carry out. `drop` closes without a reply, `hang` never answers."""

    status: int
    payload: bytes
    content_type: str = JSON
    delay_s: float = 0.0
    transport: Transport = "ok"


class ApiError(Exception):
    """An error reply: status, text and any further top-level keys."""

    def __init__(self, message: str, status: int = 400, **extra: Any) -> None:
        super().__init__(message)
        self.message, self.status, self.extra = message, status, extra


@dataclass(slots=True)
class Call:
    """One validated request. `now` includes a clock skew fault."""

    account: AccountServer
    endpoint: str
    fields: dict[str, Any]
    now: datetime
    raw_text: str | None = field(default=None)

    def text(self, name: str) -> str:
        return str(self.fields[name])


Handler = Callable[[Call], Body]
KeyError_ = Callable[[Call], ApiError]


def refuse_key(call: Call) -> ApiError:
    return ApiError(INVALID_KEY, 403)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One route. `marked` adds the mode to replies; `mode_in_errors` also to validation errors."""

    handler: Handler
    schema: Schema
    shape: Shape
    limit: LimitClass = "api"
    method: str = "POST"
    marked: bool = False
    mode_in_errors: bool = False
    unexpected: str | None = "An unexpected error occurred"
    sort: bool = True
    key_error: KeyError_ | None = refuse_key
    bad_key_first: bool = False


def encode(body: Any, sort: bool = True) -> bytes:
    """JSON as the server writes it; NaN stays a bare token."""
    try:
        written = orjson.dumps(body, option=orjson.OPT_SORT_KEYS if sort else 0)
    except TypeError:
        # A number over 64 bits, echoed back: the slow writer knows no such limit.
        written = None
    # What is no number it writes as null.
    if written is not None and (b"null" not in written or not _has_nan(body)):
        return written
    return json.dumps(body, sort_keys=sort, ensure_ascii=False).encode()


def _has_nan(value: Any) -> bool:
    if isinstance(value, float):
        return math.isnan(value)
    if isinstance(value, Mapping):
        return any(_has_nan(v) for v in value.values())
    if isinstance(value, list):
        return any(_has_nan(v) for v in value)
    return False


def outcome(status: int, body: Any, sort: bool = True) -> Outcome:
    return Outcome(status, encode(body, sort))
