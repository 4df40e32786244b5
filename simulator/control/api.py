"""The control port over HTTP: JSON in, JSON out, loopback callers only."""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import web

from simulator.control.acts import ACTS, account_numbered, books
from simulator.control.fields import BadInput, Fields

if TYPE_CHECKING:
    from simulator.runtime import Runtime


def control(runtime: Runtime, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
    """Answer one control request: (status, JSON). Bad input is 400 {"error", "field"}."""
    try:
        return 200, _act(runtime, method, path.rstrip("/") or "/", body)
    except BadInput as bad:
        return 400, {"error": str(bad), "field": bad.where}
    except LookupError:
        return 404, {"error": f"no {method} {path}", "field": ""}


def _act(runtime: Runtime, method: str, path: str, body: bytes) -> dict[str, Any]:
    act = ACTS.get((method, path))
    if act is not None:
        return act(runtime, Fields(_read(body)))
    parts = path.strip("/").split("/")
    if method == "GET" and len(parts) == 3 and parts[0] == "accounts" and parts[2] == "books":
        return books(account_numbered(runtime, _number(parts[1], "account")))
    if method == "DELETE" and parts[0] == "faults":
        if len(parts) == 1:
            return {"ok": True, "removed": runtime.world.faults.clear()}
        if len(parts) == 2 and runtime.world.faults.remove(_number(parts[1], "id")):
            return {"ok": True, "removed": 1}
    raise LookupError(path)


def _number(text: str, where: str) -> int:
    if not text.isdigit():
        raise BadInput(where, "must be a whole number")
    return int(text)


def _read(body: bytes) -> Any:
    if not body.strip():
        return {}
    try:
        return json.loads(body)
    except ValueError:
        raise BadInput("", "the body is not JSON") from None


def control_application(runtime: Runtime) -> web.Application:
    async def handle(request: web.Request) -> web.Response:
        if not _is_loopback(request.remote):
            return web.json_response({"error": "loopback only", "field": ""}, status=403)
        status, answer = control(runtime, request.method, request.path, await request.read())
        return web.Response(status=status, body=orjson.dumps(answer), content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    return app


def _is_loopback(remote: str | None) -> bool:
    try:
        return remote is not None and ipaddress.ip_address(remote).is_loopback
    except ValueError:
        return False
