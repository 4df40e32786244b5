"""aiohttp around `dispatch`: it only carries out Outcomes."""

from __future__ import annotations

import asyncio

from aiohttp import web

from simulator.account import AccountServer
from simulator.rest.core import Outcome
from simulator.rest.dispatch import dispatch

LONGEST_HANG_S = 600.0


def rest_application(account: AccountServer) -> web.Application:
    async def handle(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        content_type = request.headers.get("Content-Type")
        result = dispatch(account, request.method, request.path, content_type, body, request.query)
        return await carry_out(request, result)

    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_route("*", "/{tail:.*}", handle)
    return app


async def carry_out(request: web.Request, result: Outcome) -> web.StreamResponse:
    if result.delay_s:
        await asyncio.sleep(result.delay_s)
    if result.transport == "hang":
        await _until_gone(request)
    if result.transport in ("hang", "drop"):
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)
    headers = {"Content-Type": result.content_type}
    return web.Response(status=result.status, body=result.payload, headers=headers)


async def _until_gone(request: web.Request) -> None:
    waited = 0.0
    while waited < LONGEST_HANG_S and request.transport is not None and not request.transport.is_closing():
        await asyncio.sleep(0.1)
        waited += 0.1
