"""WebSocket frames out of a socket, many per read. The wire library's own reader spends more time than all our parsing."""

from __future__ import annotations

import socket
import ssl
from collections import deque

TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA
_CONTINUES = 0x0
CHUNK = 256 * 1024
LONGEST = 16 * 1024 * 1024


class Broken(ValueError):
    """What came is no frame of a server: the connection cannot be trusted any further."""


class FrameReader:
    """Whole messages in order, fragments joined. `sock` has a time-out, after which `read` returns None."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = bytearray()
        self._ready: deque[tuple[int, bytes]] = deque()
        self._opcode = 0
        self._parts: list[bytes] = []

    def read(self) -> tuple[int, bytes] | None:
        """The next message as (opcode, payload); None when nothing came in time.

        Raises EOFError when the far side closed without a word, Broken on nonsense, OSError as the socket does.
        """
        while not self._ready:
            try:
                chunk = self._sock.recv(CHUNK)
            except (TimeoutError, ssl.SSLWantReadError):
                return None
            if not chunk:
                raise EOFError("closed by the server")
            self.feed(chunk)
        return self._ready.popleft()

    @property
    def waiting(self) -> int:
        """Messages that were read and not yet taken."""
        return len(self._ready)

    def feed(self, chunk: bytes) -> None:
        buffer = self._buffer
        buffer += chunk
        at, end = 0, len(buffer)
        while end - at >= 2:
            first, length, head = buffer[at], buffer[at + 1], 2
            if first & 0x70 or length & 0x80:
                raise Broken("a compressed or masked frame")
            if length == 126:
                head, length = 4, int.from_bytes(buffer[at + 2 : at + 4], "big")
            elif length == 127:
                head, length = 10, int.from_bytes(buffer[at + 2 : at + 10], "big")
            if end - at < head:
                break
            if length > LONGEST:
                raise Broken(f"a frame of {length} bytes")
            if end - at < head + length:
                break
            self._took(first, bytes(buffer[at + head : at + head + length]))
            at += head + length
        del buffer[:at]

    def _took(self, first: int, payload: bytes) -> None:
        opcode, is_last = first & 0x0F, first & 0x80
        if opcode >= CLOSE:
            self._ready.append((opcode, payload))
        elif opcode == _CONTINUES:
            if not self._opcode:
                raise Broken("a continuation of nothing")
            self._parts.append(payload)
            if sum(map(len, self._parts)) > LONGEST:
                raise Broken("a message without end")
            if is_last:
                self._ready.append((self._opcode, b"".join(self._parts)))
                self._opcode, self._parts = 0, []
        elif opcode not in (TEXT, BINARY) or self._opcode:
            raise Broken(f"opcode {opcode} out of place")
        elif is_last:
            self._ready.append((opcode, payload))
        else:
            self._opcode, self._parts = opcode, [payload]
