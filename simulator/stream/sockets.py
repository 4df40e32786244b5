"""aiohttp WebSockets around the protocol: deadlines, bounded sending, closing codes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from aiohttp import WSCloseCode, WSMsgType, web

from simulator.account import AccountServer, Message
from simulator.rest.core import encode
from simulator.stream.protocol import Hub, Session
from simulator.stream.ticks import TickWriter

MAX_FRAME = 1024 * 1024
TICK_BACKLOG = 20_000
PIECE = 25
AUTH_GRACE_S = 15.0
AUTH_TIMEOUT = 4401
PING_S = 20.0


class Socket:
    """One connection: what it still has to send, and the task that sends it."""

    def __init__(self, session: Session, ws: web.WebSocketResponse, request: web.Request) -> None:
        self.session = session
        self.ws = ws
        self.request = request
        self._queue: deque[bytes] = deque()
        self._wake = asyncio.Event()

    def push(self, frames: Iterable[bytes], *, droppable: bool) -> None:
        """Queue frames; ticks are let go when the client cannot keep up, order updates never."""
        if droppable and len(self._queue) > TICK_BACKLOG:
            return
        self._queue.extend(frames)
        self._wake.set()

    async def send_forever(self) -> None:
        while not self.ws.closed:
            await self._wake.wait()
            self._wake.clear()
            while self._queue and not self.ws.closed:
                await self.ws.send_frame(self._queue.popleft(), WSMsgType.TEXT)

    def abort(self) -> None:
        if self.request.transport is not None:
            self.request.transport.abort()


class StreamServer:
    """The WebSocket port of one account."""

    def __init__(self, account: AccountServer, auth_grace_s: float = AUTH_GRACE_S) -> None:
        self.account = account
        self.hub = Hub(account)
        self.auth_grace_s = auth_grace_s
        self._sockets: dict[Session, Socket] = {}
        account.sink = self.order_update

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/{tail:.*}", self._connect)
        return app

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        ws = web.WebSocketResponse(heartbeat=PING_S, max_msg_size=MAX_FRAME, compress=False)
        if not ws.can_prepare(request):
            return web.Response(status=426, text="Upgrade required")
        await ws.prepare(request)
        session = self.hub.join()
        socket = Socket(session, ws, request)
        self._sockets[session] = socket
        sender = asyncio.create_task(socket.send_forever())
        deadline = asyncio.create_task(self._expel(socket))
        try:
            async for message in ws:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    socket.push([_written(reply) for reply in session.receive(message.data)], droppable=False)
        finally:
            self._sockets.pop(session, None)
            self.hub.leave(session)
            sender.cancel()
            deadline.cancel()
        return ws

    async def _expel(self, socket: Socket) -> None:
        await asyncio.sleep(self.auth_grace_s)
        if not socket.session.authenticated:
            await socket.ws.close(code=AUTH_TIMEOUT, message=b"auth timeout")

    def order_update(self, message: Message) -> None:
        if self.account.faults.any_armed(("silent_socket",), self.account.index):
            return
        frame = _written(message)
        for session, socket in self._sockets.items():
            if session.wants_orders:
                socket.push([frame], droppable=False)

    def send_ticks(self, writer: TickWriter) -> Iterator[int]:
        """Queue one tick for every socket, a few symbols at a time; the number of frames of each piece."""
        if self.account.faults.hit("silent_socket", self.account.index) is not None:
            return
        frames = writer.frames(self.hub)
        while piece := list(islice(frames, PIECE)):
            batches: dict[Session, list[bytes]] = {}
            for session, frame in piece:
                batches.setdefault(session, []).append(frame)
            for session, written in batches.items():
                socket = self._sockets.get(session)
                if socket is not None:
                    socket.push(written, droppable=True)
            yield len(piece)

    async def strike(self) -> None:
        """Carry out the faults that hit sockets rather than messages."""
        if not self._sockets:
            return
        if self.account.faults.hit("relogin_drop", self.account.index) is not None:
            self.hub.drop_adapter()
        dropped = self.account.faults.hit("drop_socket", self.account.index)
        if dropped is None:
            return
        code = int(dropped.params["code"])
        for socket in list(self._sockets.values()):
            if code == 1006:
                socket.abort()
            else:
                await socket.ws.close(code=code)

    async def close(self) -> None:
        for socket in list(self._sockets.values()):
            await socket.ws.close(code=WSCloseCode.GOING_AWAY, drain=False)


def _written(message: Message) -> bytes:
    return encode(message, sort=False)
