"""How many examples: few and always the same ones in the normal suite, many and new ones in the soak.

AM_SOAK=1 turns the soak on, AM_EXAMPLES bounds it. Long histories: tests/histories.py.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

SOAK = os.environ.get("AM_SOAK", "") not in ("", "0")


def examples(quick: int, soak: int | None = None) -> settings:
    return settings(
        max_examples=int(os.environ.get("AM_EXAMPLES", soak or quick * 100)) if SOAK else quick,
        derandomize=not SOAK,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
