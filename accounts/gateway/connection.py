"""One open connection: a request out, its answer in, each in its time. What goes wrong is raised; nothing is sent twice."""

from __future__ import annotations

import select
import socket
import ssl
import zlib
from dataclasses import dataclass

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from algomirror.kernel import clock

MAX_BYTES = 64 * 1024 * 1024
MAX_HEADERS, MAX_HEADER_BYTES = 100, 64 * 1024
LOOK_S = 0.02
_PIECE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Heard:
    """A complete answer. The body is unpacked, and empty for a redirect."""

    status: int
    content_type: str
    location: str
    body: bytes


class TooLarge(Exception):
    """The answer went past MAX_BYTES, as it came or unpacked."""


class Broken(Exception):
    """What came is no answer, or not all of one."""


class _Answer:
    """What the parser finds of an answer, as its bytes come. What may precede the answer itself (100, 103) is passed over."""

    def __init__(self) -> None:
        self.status = 0
        self.has_head = self.is_whole = self.may_stay = False
        self._headers: dict[bytes, bytes] = {}
        self._number = 0
        self._pieces: list[bytes] = []
        self._parser: HttpResponseParser | None = HttpResponseParser(self)

    def take(self, data: bytes) -> None:
        """Raises Broken."""
        assert self._parser is not None
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self.is_whole = True
        except HttpParserError as error:
            # Nobody asked for what follows a whole answer.
            self.may_stay = False
            if not self.is_whole:
                raise Broken from error
        if self._number > MAX_HEADERS:
            raise Broken

    def end(self) -> None:
        """The far side says no more. Raises Broken where the answer said that there was more."""
        if not self.has_head or b"content-length" in self._headers or b"chunked" in self._said(b"transfer-encoding"):
            raise Broken
        self.is_whole = True

    def close(self) -> None:
        """The parser and what it tells hold each other."""
        self._parser = None

    def header(self, name: bytes) -> str:
        return self._headers.get(name, b"").decode("latin-1")

    def body(self) -> bytes:
        """Unpacked. Raises Broken and TooLarge."""
        packed = b"".join(self._pieces)
        return unpacked(packed) if packed and self._said(b"content-encoding") in (b"gzip", b"x-gzip", b"deflate") else packed

    def _said(self, name: bytes) -> bytes:
        return self._headers.get(name, b"").strip().lower()

    # What the parser calls

    def on_message_begin(self) -> None:
        if self.is_whole:
            self.may_stay = False
        else:
            self._headers, self._number = {}, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self._number += 1 if len(name) + len(value) < MAX_HEADER_BYTES else MAX_HEADERS + 1
        if not self.has_head:
            self._headers.setdefault(name.lower(), value)

    def on_headers_complete(self) -> None:
        if self._parser is not None and not self.has_head:
            self.status = self._parser.get_status_code()
            self.has_head = self.status >= 200 or self.status == 101

    def on_body(self, piece: bytes) -> None:
        if not self.is_whole:
            self._pieces.append(piece)

    def on_message_complete(self) -> None:
        if self._parser is not None and self.has_head and not self.is_whole:
            self.is_whole, self.may_stay = True, self._parser.should_keep_alive()


class Connection:
    """Not thread-safe: one exchange at a time. `used_at` is the end of the last one, `until` when its answer is due."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._waiting = select.poll()
        self._waiting.register(sock, select.POLLIN)
        self.used_at = self.until = clock.monotonic()

    def is_quiet(self) -> bool:
        """Nothing has come since the last answer: neither an end nor something nobody asked for."""
        return not self._waiting.poll(0) and not (isinstance(self._sock, ssl.SSLSocket) and self._sock.pending())

    def send(self, request: bytes, timeout_s: float) -> None:
        """Raises OSError: a part of it may have arrived, and the connection is of no more use."""
        self._sock.settimeout(timeout_s)
        self._sock.sendall(request)
        self.until = clock.monotonic() + timeout_s

    def fileno(self) -> int:
        return self._sock.fileno()

    def hear(self, timeout_s: float) -> tuple[Heard, bool]:
        """The answer to what was sent, and whether the connection may carry another request.

        The head has `timeout_s` from the end of sending, the body as long again: neither dripping nor flooding goes on for
        ever. Raises OSError (TimeoutError among them), Broken and TooLarge: the request may have arrived, and the connection
        is of no more use.
        """
        # What has come by now counts, however late somebody looks for it.
        self.until = max(self.until, clock.monotonic() + LOOK_S)
        answer, left = _Answer(), MAX_BYTES
        try:
            while not (answer.is_whole or 300 <= answer.status < 400):
                data, had_head = self._more(), answer.has_head
                left -= len(data)
                if left < 0:
                    raise TooLarge
                answer.take(data) if data else answer.end()
                if answer.has_head and not had_head:
                    self.until = clock.monotonic() + timeout_s
        finally:
            answer.close()
        body = b"" if 300 <= answer.status < 400 else answer.body()
        self.used_at = clock.monotonic()
        return Heard(answer.status, answer.header(b"content-type"), answer.header(b"location"), body), answer.may_stay

    def _more(self) -> bytes:
        """What comes next, in what is left of the time; nothing at the end."""
        wait_s = self.until - clock.monotonic()
        if wait_s <= 0:
            raise TimeoutError
        self._sock.settimeout(wait_s)
        return self._sock.recv(_PIECE)

    def close(self) -> None:
        self._sock.close()


def unpacked(packed: bytes) -> bytes:
    """What gzip, zlib or a bare deflate stream holds. Raises TooLarge, or Broken when it is none or not all of it."""
    for form in (32 + zlib.MAX_WBITS, -zlib.MAX_WBITS):
        machine = zlib.decompressobj(form)
        try:
            plain = machine.decompress(packed, MAX_BYTES + 1)
        except zlib.error:
            continue
        if len(plain) > MAX_BYTES:
            raise TooLarge
        if not machine.eof:
            raise Broken
        return plain
    raise Broken
