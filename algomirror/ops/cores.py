"""A processor core of its own for a process whose threads compute one at a time anyway.

Of a Python process one thread at a time computes, whatever the number of cores; dozens that hand the interpreter to each
other wake each other on the other core each time, which costs more than what they do. Kept to one core they halve the
switches between them, and an account's orders take a fifth less of the processor (docs/BENCHMARKS.md).
"""

from __future__ import annotations

import errno
import logging
import os
import socket

log = logging.getLogger(__name__)

# Names that are no files: free again however their process ends, and seen by all houses on this machine.
_NAME = "\0algomirror-core-{}"
# Held, with its core, as long as this process lives.
_held: list[socket.socket] = []


def keep_to_one() -> int | None:
    """The core that this thread, and those it starts, keep to from here on: one that no other process has taken.

    None, and nothing changes, where every core is taken, there is only one, or the system knows no such thing.
    """
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(allowed) < 2:
        return None
    # Houses that cannot see each other (containers) do not all begin with the same one.
    first = os.getpid() % len(allowed)
    try:
        core = next((core for core in allowed[first:] + allowed[:first] if _take(core)), None)
        if core is not None:
            os.sched_setaffinity(0, {core})
    except OSError as error:
        log.warning("no core of its own error=%s", error)
        return None
    return core


def _take(core: int) -> bool:
    holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        holder.bind(_NAME.format(core))
    except OSError as error:
        holder.close()
        if error.errno == errno.EADDRINUSE:
            return False
        raise
    _held.append(holder)
    return True
