"""No process outlives the one that started it, however that one dies."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
# Loaded at import: between fork and exec nothing may be allocated that another thread could hold locked.
_libc = ctypes.CDLL(None) if sys.platform.startswith("linux") else None


def die_with(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent goes; elsewhere than Linux, do nothing."""
    if _libc is None:
        return
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(1)


def forks_die_with_this_process() -> None:
    """Every later fork of this process, and of its forks, dies with its parent.

    django-q2's sentinel and workers go on working when their main process is killed; a new cluster would run beside them.
    """
    parent = [os.getpid()]

    def remember() -> None:
        parent[0] = os.getpid()

    os.register_at_fork(before=remember, after_in_child=lambda: die_with(parent[0]))
