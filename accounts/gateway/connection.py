"""One open connection: a request out, its answer in, each in its time. What goes wrong is raised; nothing is sent twice."""

from __future__ import annotations

import io
import select
import socket
import ssl
import zlib
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, cast

from algomirror.kernel import clock

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_BYTES = 64 * 1024 * 1024
LOOK_S = 0.02
_PIECE = 64 * 1024
_BUFFER = 32 * 1024


@dataclass(frozen=True, slots=True)
class Heard:
    """A complete answer. The body is unpacked, and empty for a redirect."""

    status: int
    content_type: str
    location: str
    body: bytes


class TooLarge(Exception):
    """The answer went past MAX_BYTES, as it came or unpacked."""


class CutShort(HTTPException):
    """The far side ended before its answer did."""


class _Incoming(io.RawIOBase):
    """The socket's bytes, until a deadline and only so many: neither dripping nor flooding goes on for ever."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._until: float | None = None
        self._left = 0
        self.has_ended = False

    def expect(self, wait_s: float) -> None:
        self._until, self._left, self.has_ended = clock.monotonic() + wait_s, MAX_BYTES, False

    def extend(self, wait_s: float) -> None:
        self._until = clock.monotonic() + wait_s

    def look(self, wait_s: float) -> None:
        """What has come by now counts, however late somebody looks for it."""
        if self._until is not None:
            self._until = max(self._until, clock.monotonic() + wait_s)

    def expect_nothing(self) -> None:
        self._until = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        if self._until is None:
            return 0
        wait_s = self._until - clock.monotonic()
        if wait_s <= 0:
            raise TimeoutError
        self._sock.settimeout(wait_s)
        got = self._sock.recv_into(buffer)
        self.has_ended = got == 0
        self._left -= got
        if self._left < 0:
            raise TooLarge
        return got


class _Reader(io.BufferedReader):
    """Outlives the answers read from it, so that nothing read ahead is lost between two of them."""

    def close(self) -> None:
        return


class Connection:
    """Not thread-safe: one exchange at a time. `used_at` is the end of the last one."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._incoming = _Incoming(sock)
        self._reader = _Reader(self._incoming, _BUFFER)
        self._waiting = select.poll()
        self._waiting.register(sock, select.POLLIN)
        self.used_at = clock.monotonic()

    def makefile(self, *_: object) -> io.BufferedReader:
        """What HTTPResponse reads from."""
        return self._reader

    def is_quiet(self) -> bool:
        """Nothing has come since the last answer: neither an end nor something nobody asked for."""
        if self._waiting.poll(0) or (isinstance(self._sock, ssl.SSLSocket) and self._sock.pending()):
            return False
        self._incoming.expect_nothing()
        return not self._reader.peek(1)

    def send(self, request: bytes, timeout_s: float) -> None:
        """Raises OSError: a part of it may have arrived, and the connection is of no more use."""
        self._sock.settimeout(timeout_s)
        self._sock.sendall(request)
        self._incoming.expect(timeout_s)

    def fileno(self) -> int:
        return self._sock.fileno()

    def hear(self, method: str, timeout_s: float) -> tuple[Heard, bool]:
        """The answer to what was sent, and whether the connection may carry another request.

        The head has `timeout_s` from the end of sending, the body as long again. Raises OSError (TimeoutError among
        them), HTTPException, ValueError and TooLarge: the request may have arrived, and the connection is of no more use.
        """
        self._incoming.look(LOOK_S)
        answer = self._head(method)
        self._incoming.extend(timeout_s)
        headers = answer.headers
        body = b"" if 300 <= answer.status < 400 else self._body(answer)
        heard = Heard(answer.status, headers.get("content-type", ""), headers.get("location", ""), body)
        self.used_at = clock.monotonic()
        return heard, answer.isclosed() and not answer.will_close and answer.status >= 200

    def _head(self, method: str) -> HTTPResponse:
        """The head of the answer itself: of what may precede it, HTTPResponse passes over 100 alone."""
        while True:
            answer = HTTPResponse(cast(socket.socket, self), method=method)
            answer.begin()
            if self._incoming.has_ended:
                raise CutShort
            if answer.status >= 200 or answer.status == 101:
                return answer

    def _body(self, answer: HTTPResponse) -> bytes:
        packed = answer.read(_PIECE)
        if not answer.isclosed():
            pieces = [packed]
            while not answer.isclosed():
                pieces.append(answer.read(_PIECE))
            packed = b"".join(pieces)
        if self._incoming.has_ended and (answer.length or answer.chunked):
            raise CutShort
        encoding = answer.headers.get("content-encoding", "").strip().lower()
        return unpacked(packed) if packed and encoding in ("gzip", "x-gzip", "deflate") else packed

    def close(self) -> None:
        self._sock.close()


def unpacked(packed: bytes) -> bytes:
    """What gzip, zlib or a bare deflate stream holds. Raises TooLarge, or CutShort when it is none or not all of it."""
    for form in (32 + zlib.MAX_WBITS, -zlib.MAX_WBITS):
        machine = zlib.decompressobj(form)
        try:
            plain = machine.decompress(packed, MAX_BYTES + 1)
        except zlib.error:
            continue
        if len(plain) > MAX_BYTES:
            raise TooLarge
        if not machine.eof:
            raise CutShort
        return plain
    raise CutShort
