"""What a process has loaded by the time it begins to work."""

from __future__ import annotations

import ctypes
import gc

# New objects before the young, and so the old ones, are searched for cycles: work makes thousands that all go again.
COLLECT_AFTER = (20_000, 20, 50)
# Of mallopt(3): what is free at the top before it is given back, what is asked for at a time, and how many heaps there are.
_TRIM_THRESHOLD, _TOP_PAD, _ARENA_MAX = -1, -2, -8
KEPT_BYTES, GROWN_BY_BYTES = 64 * 1024 * 1024, 1024 * 1024


def settle() -> None:
    """What is loaded by now lives as long as the process: searching it for cycles would stop every thread for long."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    _one_heap()


def _one_heap() -> None:
    """One thread computes at a time; with a heap of its own for each, all of them fetch from the system again and again what
    another has just given back, and every page of it is a fault. Where the C library is another one nothing changes."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    for what, value in ((_ARENA_MAX, 1), (_TRIM_THRESHOLD, KEPT_BYTES), (_TOP_PAD, GROWN_BY_BYTES)):
        mallopt(what, value)
