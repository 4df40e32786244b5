"""Pools of threads that last as long as their process."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

_pools: dict[str, ThreadPoolExecutor] = {}
_making = Lock()


def pool(name: str, size: int) -> ThreadPoolExecutor:
    """This process's pool of that name, made when it is first asked for."""
    with _making:
        if name not in _pools:
            _pools[name] = ThreadPoolExecutor(max_workers=size, thread_name_prefix=name)
        return _pools[name]


def _in_a_fork() -> None:
    """Threads do not cross a fork, and the lock may have been held by one of them."""
    global _making
    _making = Lock()
    _pools.clear()


os.register_at_fork(after_in_child=_in_a_fork)
