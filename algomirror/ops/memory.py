"""What a process has loaded by the time it begins to work."""

from __future__ import annotations

import gc

# New objects before the young, and so the old ones, are searched for cycles: work makes thousands that all go again.
COLLECT_AFTER = (20_000, 20, 50)


def settle() -> None:
    """What is loaded by now lives as long as the process: searching it for cycles would stop every thread for long."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
