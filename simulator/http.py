"""The REST port of one account: connections around `dispatch` that only carry out Outcomes.

Benchmarks measure what talks to this port, on the same cores: a whole web framework here cost more than most endpoints.
"""

from __future__ import annotations

import asyncio
import logging
from typing import cast

from simulator.account import AccountServer
from simulator.replies import CONTINUE, reply
from simulator.requests import TEXT, Request, RequestReader
from simulator.rest.core import Outcome
from simulator.rest.dispatch import dispatch

log = logging.getLogger(__name__)
LONGEST_HANG_S = 600.0
SHUTDOWN_S = 0.5
READ_BYTES = 16 * 1024


class RestServer:
    """Listens for one account."""

    def __init__(self, account: AccountServer) -> None:
        self.account = account
        self.stopping = False
        self.connections: set[Connection] = set()
        self.all_gone = asyncio.Event()
        self._listener: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        self.stopping = False
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: Connection(self), host, port, backlog=128)

    async def stop(self) -> None:
        """Stop listening; answers under way have half a second to leave."""
        if self._listener is None:
            return
        self.stopping = True
        self._listener.close()
        for connection in tuple(self.connections):
            connection.finish()
        overdue = asyncio.get_running_loop().call_later(SHUTDOWN_S, self._abort)
        while self.connections:
            self.all_gone.clear()
            await self.all_gone.wait()
        overdue.cancel()
        await self._listener.wait_closed()

    def _abort(self) -> None:
        for connection in tuple(self.connections):
            connection.abort()


class Connection(asyncio.BufferedProtocol):
    """One client's connection. Its requests are answered in order: the next begins once the last is answered.

    It reads into a buffer of its own. Given none, asyncio asks for a quarter of a mebibyte at every read, which goes back
    to the kernel after it: two thirds of what a bare exchange costs.
    """

    def __init__(self, server: RestServer) -> None:
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._reader = RequestReader()
        self._buffer = bytearray(READ_BYTES)
        self._view = memoryview(self._buffer)
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle | None = None
        self._hanging = False
        self._stalled = False
        self._reading = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server.connections.add(self)
        if self._server.stopping:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._reader.detach()
        self._server.connections.discard(self)
        if not self._server.connections:
            self._server.all_gone.set()

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._reader.feed(self._view[:nbytes])
        self._serve()

    def pause_writing(self) -> None:
        self._stalled = True

    def resume_writing(self) -> None:
        self._stalled = False
        self._serve()

    def finish(self) -> None:
        """Close as soon as the answer under way, if any, is written."""
        self._reader.end()
        if self._hanging:
            self.abort()
        elif self._timer is None:
            self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def _serve(self) -> None:
        reader = self._reader
        while reader.ready and self._timer is None and not self._stalled and not self._transport.is_closing():
            self._take(reader.ready.popleft())
        if reader.awaits_continue and not reader.ready and self._timer is None:
            reader.awaits_continue = False
            self._transport.write(CONTINUE)
        # Who sends on without reading answers is not read from; who hangs is, so that its leaving is seen.
        if self._reading == bool(reader.ready):
            self._reading = not self._reading
            if self._reading:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _take(self, request: Request) -> None:
        result = request.refused or self._dispatch(request)
        if result.delay_s:
            self._timer = self._loop.call_later(result.delay_s, self._waited, request, result)
        else:
            self._carry_out(request, result)

    def _waited(self, request: Request, result: Outcome) -> None:
        self._timer = None
        self._carry_out(request, result)
        self._serve()

    def _carry_out(self, request: Request, result: Outcome) -> None:
        if result.transport == "drop":
            self.abort()
        elif result.transport == "hang":
            self._hanging = True
            self._timer = self._loop.call_later(LONGEST_HANG_S, self.abort)
            self._reader.end()
        else:
            self._transport.write(reply(request, result))
            if not request.keep_alive or self._server.stopping:
                self._transport.close()

    def _dispatch(self, request: Request) -> Outcome:
        try:
            return dispatch(self._server.account, request.method, request.path, request.content_type, request.body, request.query)
        except Exception:
            log.exception("unexpected path=%s account=%s", request.path, self._server.account.index)
            request.keep_alive = False
            return Outcome(500, b"500 Internal Server Error", TEXT)
