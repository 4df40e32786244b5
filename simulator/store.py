"""The state file: whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import orjson

from simulator.world import World

BOOKS_S, PRICES_S = 0.5, 5.0


class Store:
    """Writes the world at most every 0.5 s when books changed, every 5 s for prices alone, and on `flush`."""

    def __init__(self, path: Path, world: World) -> None:
        self._path = path
        self._world = world
        self._saved_version = -1
        self._saved_at = float("-inf")

    def restore(self) -> bool:
        """Load the file if there is one of this seed; False when there was nothing to load."""
        if not self._path.exists():
            return False
        state = orjson.loads(self._path.read_bytes())
        if state.get("format") != 1 or state.get("seed") != self._world.seed:
            return False
        self._world.adopt(state)
        return True

    def maybe_save(self, now: float) -> bool:
        """`now` is a monotonic second."""
        age = now - self._saved_at
        changed = self._world.version != self._saved_version
        if not (age >= PRICES_S or (changed and age >= BOOKS_S)):
            return False
        self.flush()
        self._saved_at = now
        return True

    def flush(self) -> None:
        self._saved_version = self._world.version
        temporary = self._path.with_suffix(self._path.suffix + ".new")
        temporary.write_bytes(orjson.dumps(self._world.to_state()))
        os.replace(temporary, self._path)
