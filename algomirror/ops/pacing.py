"""Lets what is sent to a browser wait until the browser has taken what was sent before.

Daphne's `send` returns at once and keeps what the client does not read, without limit and in order: who stops reading
would cost memory until the ping gives up, and read old prices as if they were new. Here `send` returns when the way is
free, so that what overtakes waits where it melts together.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from daphne.ws_protocol import WebSocketProtocol

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

# Of what the kernel has not sent yet. Its own limit grows to megabytes, which on a slow line are minutes of old prices.
MOST_UNSENT_BYTES = 32_768


class Pace:
    """Told by the transport (a push producer of Twisted) when the way to one browser is full and when it is free again."""

    def __init__(self) -> None:
        self._free = asyncio.Event()
        self._free.set()

    def pauseProducing(self) -> None:
        self._free.clear()

    def resumeProducing(self) -> None:
        self._free.set()

    def stopProducing(self) -> None:
        """The connection is gone: nobody waits for it."""
        self._free.set()

    async def wait(self) -> None:
        await self._free.wait()


class Paced:
    """An ASGI application whose sockets wait. Under a server that holds `send` back by itself it changes nothing."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        protocol = next(iter(getattr(send, "args", ())), None)
        if not isinstance(protocol, WebSocketProtocol):
            await self._application(scope, receive, send)
            return
        pace = Pace()

        async def paced(message: Message) -> None:
            if message["type"] == "websocket.accept":
                _hold(protocol.transport, pace)
            await send(message)
            if message["type"] == "websocket.send":
                await pace.wait()

        await self._application(scope, receive, paced)


def _hold(transport: Any, pace: Pace) -> None:
    if transport is None:
        return
    # The producer until now is the channel of the request that became this socket; it has nothing more to send.
    transport.unregisterProducer()
    transport.registerProducer(pace, True)
    with suppress(AttributeError, OSError):  # no TCP, or a system without it
        transport.getHandle().setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MOST_UNSENT_BYTES)
