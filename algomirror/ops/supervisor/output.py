"""Everything the processes say, in one stream, each line behind its speaker's name."""

from __future__ import annotations

import os
import selectors
from typing import IO

COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)
CHUNK = 65536


class Output:
    def __init__(self, stream: IO[str], names: list[str]) -> None:
        self._stream = stream
        self._selector = selectors.DefaultSelector()
        self._rest: dict[int, bytes] = {}
        self._width = max((len(n) for n in [*names, "up"]), default=2)
        self._is_tty = stream.isatty()
        self._colour = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}

    def follow(self, name: str, pipe: IO[bytes]) -> None:
        os.set_blocking(pipe.fileno(), False)
        self._selector.register(pipe, selectors.EVENT_READ, name)

    def say(self, text: str, *, name: str = "up") -> None:
        head = f"{name:<{self._width}} |"
        if self._is_tty:
            head = f"\033[{self._colour.get(name, 1)}m{head}\033[0m"
        try:
            self._stream.write(f"{head} {text}\n")
            self._stream.flush()
        except (OSError, ValueError):
            return  # a closed terminal must not stop the processes it was showing

    def relay(self, timeout_s: float) -> None:
        """Show what was said, waiting up to `timeout_s` for the first word."""
        for key, _ in self._selector.select(timeout_s):
            self._read(key)

    def drain(self) -> None:
        """Show what is left in the pipes without waiting."""
        while self._selector.get_map() and (ready := self._selector.select(0)):
            for key, _ in ready:
                self._read(key)

    def _read(self, key: selectors.SelectorKey) -> None:
        try:
            chunk = os.read(key.fd, CHUNK)
        except BlockingIOError:
            return
        *lines, rest = (self._rest.pop(key.fd, b"") + chunk).split(b"\n")
        for line in lines:
            self.say(line.decode(errors="replace"), name=key.data)
        if chunk:
            self._rest[key.fd] = rest
            return
        if rest:
            self.say(rest.decode(errors="replace"), name=key.data)
        self._selector.unregister(key.fileobj)
        key.fileobj.close()  # type: ignore[union-attr]
