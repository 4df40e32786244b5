"""An installation apart from this run of tests: its own state, and keys that open nothing else."""

from __future__ import annotations

import os
from pathlib import Path

THIS_RUN_S = ("DATABASE_URL", "REDIS_URL")


def environment(var: Path, **more: str) -> dict[str, str]:
    """What its processes are started with."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("ALGOMIRROR_", "DJANGO_")) and k not in THIS_RUN_S}
    return {
        **kept,
        "DEBUG": "false",
        "DJANGO_SECRET_KEY": "apart-" + "0123456789abcdef" * 3,
        "ALGOMIRROR_FERNET_KEYS": "S88Fej5yMR_2cJyjxAgNH6JhjOOvpPmm9NJXYYQVkGI=",
        "ALGOMIRROR_ENV_FILE": "",
        "ALGOMIRROR_VAR": str(var),
        **more,
    }
