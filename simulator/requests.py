"""Whole HTTP requests out of the bytes of one connection. httptools parses; this keeps what an endpoint looks at."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl, unquote, urlsplit

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from simulator.rest.core import Outcome

LARGEST_BODY = 16 * 1024 * 1024
LARGEST_HEAD = 32 * 1024
TEXT = "text/plain; charset=utf-8"
ONLY_ONCE = (b"host", b"content-type")
NO_PATH = ("OPTIONS", "CONNECT")


@dataclass(slots=True)
class Request:
    """One request in full. `refused` is its answer when it never reaches an endpoint."""

    method: str
    path: str
    query: Mapping[str, str]
    content_type: str | None
    body: bytes
    version: str
    keep_alive: bool
    refused: Outcome | None = None


def nonsense(why: str) -> Request:
    """What stands for bytes that are no request: answered 400, and the connection closed."""
    refused = Outcome(400, f"400: Bad Request ({why})".encode(), TEXT)
    return Request("GET", "", {}, None, b"", "1.1", False, refused)


class RequestReader:
    """The callbacks of the parser. Requests gather in `ready`; after `ended` no byte counts any more."""

    def __init__(self) -> None:
        self.ready: deque[Request] = deque()
        self.ended = False
        self.awaits_continue = False
        self._parser = HttpRequestParser(self)
        self._begin()

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._parts: list[bytes] = []
        self._size = 0
        self._fed = 0
        self._in_head = False
        self._refused: Outcome | None = None
        self._given = False

    def feed(self, data: memoryview) -> None:
        if self.ended:
            return
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade as upgrade:
            self._decline_upgrade(data[int(upgrade.args[0]) :])
        except HttpParserError as error:
            self._give_up(str(error))
        if self._in_head:
            self._fed += len(data)
            if self._fed > LARGEST_HEAD:
                self._give_up("the head is too long")

    def end(self) -> None:
        """Nothing that has come or comes is of interest any more."""
        self.ended = True
        self.awaits_continue = False
        self.ready.clear()

    def detach(self) -> None:
        """Part from the parser: each refers to the other, and would wait for the garbage collector."""
        self.end()
        del self._parser

    def _give_up(self, why: str) -> None:
        if not self.ended:
            self.ended = True
            self.awaits_continue = False
            self.ready.append(nonsense(why))

    def _decline_upgrade(self, rest: memoryview) -> None:
        """No other protocol is spoken here, but the parser has stopped before the body: go on without the offer."""
        if self.ended:
            return
        kept = [name + b": " + value + b"\r\n" for name, value in self._headers.items() if name != b"upgrade"]
        version = self._parser.get_http_version().encode()
        head = b"%b %b HTTP/%b\r\n%b\r\n" % (self._parser.get_method(), self._url, version, b"".join(kept))
        self._parser = HttpRequestParser(self)
        self.feed(memoryview(head))
        self.feed(rest)

    # -- callbacks of the parser ----------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._begin()
        self._in_head = True

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        if name not in self._headers:
            if self._in_head:  # otherwise a trailer
                self._headers[name] = value
        elif self._in_head and name in ONLY_ONCE:
            self._give_up("a header twice")

    def on_headers_complete(self) -> None:
        self._in_head = False
        if b"host" not in self._headers and self._parser.get_http_version() != "1.0":
            self._give_up("no host")
        elif b"expect" in self._headers and not self._parser.should_upgrade():
            self._expect(self._headers[b"expect"])

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size <= LARGEST_BODY:
            self._parts.append(body)
        elif self._refused is None:
            self._parts.clear()
            self._refused = Outcome(413, f"Maximum request body size {LARGEST_BODY} exceeded.".encode(), TEXT)
            # The rest is read and thrown away. Who wants the connection closed gets the answer after it, lest it be lost.
            if self._parser.should_keep_alive():
                self._give()

    def on_message_complete(self) -> None:
        declined = self._parser.should_upgrade() and self._parser.get_method() != b"CONNECT"
        if not self._given and not declined:
            self._give()

    def _give(self) -> None:
        self._given = True
        self.awaits_continue = False
        if self.ended:
            return
        method = self._parser.get_method().decode()
        version = self._parser.get_http_version()
        keep_alive = self._parser.should_keep_alive() and method != "CONNECT"
        try:
            path, query = target(self._url, method in NO_PATH)
        except ValueError:
            self._give_up("the target")
            return
        self.ended = not keep_alive
        content_type = self._headers.get(b"content-type")
        told = None if content_type is None else content_type.decode("latin-1")
        body = b"".join(self._parts)
        self.ready.append(Request(method, path, query, told, body, version, keep_alive, self._refused))

    def _expect(self, expected: bytes) -> None:
        if self._parser.get_http_version() == "1.0":
            return
        if expected.lower() == b"100-continue":
            self.awaits_continue = True
        else:
            self._refused = Outcome(417, b"Unknown Expect: " + expected, TEXT)
            self._give()


@lru_cache(maxsize=1024)
def target(url: bytes, without_path: bool = False) -> tuple[str, Mapping[str, str]]:
    """Path and query of a request line, decoded; of a name given twice the first counts.

    An escape that is no UTF-8 leaves the path as it came. Raises ValueError.
    """
    text = url.decode("latin-1")
    if text.startswith("/"):
        path, _, search = text.partition("#")[0].partition("?")
    elif without_path:
        return text, {}
    else:
        parts = urlsplit(text)
        if not parts.netloc:
            raise ValueError(text)
        path, search = parts.path or "/", parts.query
    query: dict[str, str] = {}
    for name, value in parse_qsl(search, keep_blank_values=True):
        query.setdefault(name, value)
    try:
        return unquote(path, errors="strict"), query
    except UnicodeDecodeError:
        return path, query
