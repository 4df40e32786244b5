"""One `up` per state directory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from algomirror.kernel.errors import Misconfigured


@contextmanager
def only_one(var: Path) -> Iterator[None]:
    """Hold VAR/up.lock; the kernel frees it however this process ends."""
    path = var / "up.lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise Misconfigured(
                f"AlgoMirror already runs on {var} (process {file.read().strip() or 'unknown'}). "
                "Stop it, or give the second copy its own ALGOMIRROR_VAR and ports."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
