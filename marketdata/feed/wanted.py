"""Which symbols should tick now. Derived anew each second from what is open and who is watching."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from algomirror.ops import hooks
from marketdata import selectors, viewing

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Wanted:
    """Keys by the reason they are wanted; `viewed` by the topic of the watching sessions."""

    open: frozenset[str] = frozenset()
    indices: frozenset[str] = frozenset()
    viewed: tuple[tuple[str, frozenset[str]], ...] = ()

    left_out: int = 0

    @property
    def all(self) -> frozenset[str]:
        return self.open.union(self.indices, *(keys for _, keys in self.viewed))

    def within(self, cap: int) -> Wanted:
        """The same inside the server's symbol cap: what is open first, then indices, then viewers in order.

        `left_out` counts what found no place; open symbols beyond the cap are asked by REST all the same.
        """
        if len(self.all) <= cap:
            return self
        kept = set(sorted(self.open)[:cap])
        opened = frozenset(kept)
        indices = frozenset(sorted(self.indices - kept)[: cap - len(kept)]) | (self.indices & kept)
        kept |= indices
        viewed = []
        for topic, keys in self.viewed:
            kept.update(sorted(keys - kept)[: cap - len(kept)])
            viewed.append((topic, keys & kept))
        return Wanted(opened, indices, tuple(viewed), left_out=len(self.all) - len(kept))


def wanted(before: Wanted) -> Wanted:
    """What is wanted now. A part that cannot be read stays as it was: a failed read must not unsubscribe a position."""
    return Wanted(
        open=_read("open", open_symbols, before.open),
        indices=_read("indices", lambda: frozenset(selectors.index_keys().values()), before.indices),
        viewed=_read("viewed", _viewed, before.viewed),
    )


def _read(part: str, read: Callable[[], T], before: T) -> T:
    try:
        return read()
    except Exception:
        log.exception("wanted not read, kept part=%s", part)
        return before


def open_symbols() -> frozenset[str]:
    """Instruments of all open positions and working orders, as the trading room knows them."""
    return frozenset(hooks.call("open_symbols"))


def _viewed() -> tuple[tuple[str, frozenset[str]], ...]:
    return tuple(sorted((topic, frozenset(keys)) for topic, keys in viewing.live().items()))
