"""A processor core of its own for a process whose threads compute one at a time anyway.

Of a Python process one thread at a time computes, whatever the number of cores; dozens that hand the interpreter to each
other wake each other on the other core each time, which costs more than what they do. Kept to one core they halve the
switches between them, and an account's orders take a fifth less of the processor (docs/BENCHMARKS.md).
"""

from __future__ import annotations

import fcntl
import logging
import os
from pathlib import Path

from django.conf import settings

log = logging.getLogger(__name__)

# Held, with its core, as long as this process lives.
_held: list[int] = []


def keep_to_one() -> int | None:
    """The core that this thread, and those it starts, keep to from here on: one that no other process here has taken.

    None, and nothing changes, where every core is taken, there is only one, or the system knows no such thing.
    """
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(allowed) < 2:
        return None
    try:
        core = next((core for core in allowed if _take(Path(settings.VAR_DIR) / f"core-{core}.lock")), None)
        if core is not None:
            os.sched_setaffinity(0, {core})
    except OSError as error:
        log.warning("no core of its own error=%s", error)
        return None
    return core


def _take(path: Path) -> bool:
    """The kernel frees it however this process ends."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return False
    except OSError:
        os.close(file)
        raise
    _held.append(file)
    return True
