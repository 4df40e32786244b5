"""One request in, one Outcome out: routing, faults, limits, validation, key, handler. No I/O."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson

from simulator.account import AccountServer
from simulator.orders import Refused
from simulator.rest import strange
from simulator.rest.core import ApiError, Body, Call, Endpoint, Outcome, outcome
from simulator.rest.fields import NULL, Errors
from simulator.rest.routes import ENDPOINTS

log = logging.getLogger(__name__)
PREFIX = "/api/v1/"
NOT_UNDERSTOOD = "The browser (or proxy) sent a request that this server could not understand."
NOT_ALLOWED = "The method is not allowed for the requested URL."


def dispatch(
    account: AccountServer,
    method: str,
    path: str,
    content_type: str | None,
    body: bytes,
    query: Mapping[str, str],
) -> Outcome:
    """Answer one HTTP request of one account. Never raises for anything a client can send."""
    routed = _route(method, path)
    if isinstance(routed, Outcome):
        return routed
    name, endpoint, argument = routed
    account.calls += 1
    quiet = account.faults.quiet
    symbol = "" if quiet else strange.symbol_in(body)
    early = None if quiet else strange.before(account, name, symbol)
    if early is None:
        over = account.windows.refuse(name, endpoint.limit, account.market.clock.monotonic())
        answer = outcome(429, {"message": over}) if over else None
        early = answer or _answer(account, name, endpoint, argument, content_type, body, query)
        if not quiet:
            early = strange.after(account, name, symbol, early)
    early.delay_s += (account.latency_ms.get(name) or account.latency_ms.get("*") or 0.0) / 1000.0
    return early


def _route(method: str, path: str) -> tuple[str, Endpoint, str | None] | Outcome:
    if not path.startswith(PREFIX):
        return strange.page(path)
    name = path[len(PREFIX) :]
    endpoint = ENDPOINTS.get(name)
    if endpoint is not None and method == endpoint.method:
        return name, endpoint, None
    slash = name.endswith("/")
    name = name.rstrip("/") if name.rstrip("/") + "/" == name else name
    argument = None
    if name.startswith("ticker/"):
        name, argument = "ticker", name.removeprefix("ticker/")
    endpoint = ENDPOINTS.get(name)
    if method == "OPTIONS" and endpoint is not None:
        return Outcome(200, b"", "text/html; charset=utf-8")
    if endpoint is not None and method == endpoint.method:
        return name, endpoint, argument
    if endpoint is not None and slash:
        return outcome(405, {"message": NOT_ALLOWED})
    if method == "HEAD":
        return Outcome(404, b"")
    return outcome(404, {"message": "Not found", "path": path, "status": "error"})


def _answer(
    account: AccountServer,
    name: str,
    endpoint: Endpoint,
    argument: str | None,
    content_type: str | None,
    body: bytes,
    query: Mapping[str, str],
) -> Outcome:
    if endpoint.method == "GET":
        if _is_json(content_type) and not body:
            return outcome(400, {"message": NOT_UNDERSTOOD})
        fields: Any = dict(query)
        if name == "instruments" and "exchange" not in fields:
            return _invalid(account, endpoint, {"exchange": [NULL]})
    elif not _is_json(content_type):
        return _unexpected(endpoint)
    else:
        try:
            fields = _parse(body)
        except ValueError:
            return outcome(400, {"message": NOT_UNDERSTOOD})
    if not isinstance(fields, dict):
        return outcome(500, {"message": "Internal Server Error"})
    return _run(account, name, endpoint, argument, fields)


def _run(account: AccountServer, name: str, endpoint: Endpoint, argument: str | None, fields: Body) -> Outcome:
    values, errors = endpoint.schema.load(fields)
    if errors:
        return _invalid(account, endpoint, errors)
    strange.flip_mode(account, name, str(values.get("symbol", "")))
    skew = account.faults.hit("clock_skew", account.index, name)
    now = account.market.clock.now()
    if skew is not None:
        now += timedelta(seconds=float(skew.params["seconds"]))
    call = Call(account, name, values, now, argument)
    try:
        _check_key(call, endpoint)
        reply = endpoint.handler(call)
    except ApiError as error:
        return _refused(account, endpoint, error)
    except Refused as refusal:
        extra = {} if refusal.orderid is None else {"orderid": refusal.orderid}
        return _refused(account, endpoint, ApiError(refusal.message, refusal.status, **extra))
    except (ArithmeticError, ValueError):
        # Absurd numbers (1e308, a malformed time) pass the schema on the server too, and end as its 500.
        log.exception("unexpected endpoint=%s account=%s", name, account.index)
        return _unexpected(endpoint)
    if "_csv" in reply:
        return Outcome(200, str(reply["_csv"]).encode(), "text/csv")
    if "_text" in reply:
        return Outcome(200, str(reply["_text"]).encode(), "text/plain")
    return outcome(200, _mark(account, endpoint, reply), endpoint.sort)


def _check_key(call: Call, endpoint: Endpoint) -> None:
    if endpoint.key_error is None:
        return
    expired = call.account.faults.hit("token_expired", call.account.index, call.endpoint)
    if expired is not None or call.fields["apikey"] != call.account.api_key:
        raise endpoint.key_error(call)


def _mark(account: AccountServer, endpoint: Endpoint, reply: Body) -> Body:
    if endpoint.marked and account.analyze and "mode" not in reply:
        reply["mode"] = "analyze"
    return reply


def _refused(account: AccountServer, endpoint: Endpoint, error: ApiError) -> Outcome:
    body: Body = {"status": "error", "message": error.message, **error.extra}
    if error.message != "Invalid openalgo apikey":
        body = _mark(account, endpoint, body)
    return outcome(error.status, body, endpoint.sort)


def _invalid(account: AccountServer, endpoint: Endpoint, errors: Errors) -> Outcome:
    if endpoint.shape == "error":
        body: Body = {"status": "error", "message": "Validation error", "errors": _text_keys(errors)}
    elif endpoint.shape == "failed":
        body = {"errors": _text_keys(errors), "message": "Validation failed", "status": "error"}
    elif endpoint.shape == "object":
        body = {"message": _text_keys(errors), "status": "error"}
    else:
        body = {"message": str(errors), "status": "error"}
    if endpoint.mode_in_errors and account.analyze:
        body["mode"] = "analyze"
    return outcome(400, body, endpoint.sort)


def _unexpected(endpoint: Endpoint) -> Outcome:
    if endpoint.unexpected is None:
        return outcome(500, {"message": "Internal Server Error"})
    return outcome(500, {"status": "error", "message": endpoint.unexpected}, endpoint.sort)


def _parse(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        # NaN and Infinity are bare tokens to the server's reader.
        return json.loads(body)


def _is_json(content_type: str | None) -> bool:
    return content_type is not None and content_type.split(";")[0].strip().lower() == "application/json"


def _text_keys(errors: Any) -> Any:
    """JSON keys are text: list indexes of nested errors too."""
    if isinstance(errors, dict):
        return {str(k): _text_keys(v) for k, v in errors.items()}
    return errors
