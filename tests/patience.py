"""How long a test waits for what another process, a thread or a browser does.

Waiting costs only where it fails, so there is one number, and it is for the slowest machine. What must never happen is not
waited for: it is asserted as it is, whenever it is looked at.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from typing import TypeVar

import httpx

T = TypeVar("T")
PATIENCE_S = 120.0
PATIENCE_MS = PATIENCE_S * 1000


def wait_for(
    ask: Callable[[], T], what: str, tail: Callable[[], str] = str, *, seconds: float = PATIENCE_S, every_s: float = 0.1
) -> T:
    """Ask until the answer is truthy; the real world has no other signal across processes. `tail` is shown if it never is."""
    ends = time.monotonic() + seconds
    while True:
        try:
            answer = ask()
        except (httpx.HTTPError, OSError, sqlite3.Error):
            answer = None
        if answer:
            return answer
        if time.monotonic() > ends:
            raise AssertionError(f"waited {seconds:.0f} s for {what}\n{tail()}")
        time.sleep(every_s)
