"""Free ports in a row, as the simulator wants them."""

from __future__ import annotations

import random
import socket

_chance = random.SystemRandom()


def free_base(accounts: int) -> int:
    """A base such that base … base + 2 x accounts can be bound now."""
    while True:
        base = _chance.randrange(20_000, 55_000)
        if all(_is_free(base + i) for i in range(2 * accounts + 1)):
            return base


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
