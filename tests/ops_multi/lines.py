"""A cable between a process and its database or queue, that can be cut and mended."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress


class Line:
    """Forwards a local port to another. Cut, it swallows what comes without a word, as a dead switch does."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._whole: asyncio.Event | None = None
        self.port = 0
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait(10)

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._open(ready))
        self._loop.run_forever()

    async def _open(self, ready: threading.Event) -> None:
        self._whole = asyncio.Event()
        self._whole.set()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()

    async def _serve(self, near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        assert self._whole is not None
        await self._whole.wait()
        try:
            far_in, far_out = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            near_out.close()
            return
        await asyncio.gather(self._pass(near_in, far_out), self._pass(far_in, near_out))

    async def _pass(self, source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        assert self._whole is not None
        with suppress(OSError):
            while data := await source.read(65_536):
                await self._whole.wait()
                to.write(data)
                await to.drain()
        to.close()

    def cut(self) -> None:
        assert self._whole is not None
        self._loop.call_soon_threadsafe(self._whole.clear)

    def mend(self) -> None:
        assert self._whole is not None
        self._loop.call_soon_threadsafe(self._whole.set)
