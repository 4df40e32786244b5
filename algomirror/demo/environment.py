"""The demo's own secrets and state, made before Django reads its settings. Standard library only."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent.parent
# A shell that is set up for a real installation must not lend the demo its database or its keys.
NOT_OURS = (
    "DATABASE_URL",
    "REDIS_URL",
    "DJANGO_SECRET_KEY",
    "ALGOMIRROR_FERNET_KEYS",
    "ALGOMIRROR_FERNET_KEYS_FILE",
    "ALGOMIRROR_DEMO",
    "DEBUG",
    "HTTPS",
)


def prepare() -> Path:
    """Point this process and its children at VAR/demo.env, writing it with fresh secrets the first time."""
    for name in NOT_OURS:
        os.environ.pop(name, None)
    var = Path(os.environ.get("ALGOMIRROR_VAR") or BASE_DIR / "var").absolute()
    var.mkdir(parents=True, exist_ok=True)
    file = var / "demo.env"
    if not file.exists():
        _write(file)
    os.environ["ALGOMIRROR_ENV_FILE"] = str(file)
    os.environ["ALGOMIRROR_VAR"] = str(var)
    return file


def _write(file: Path) -> None:
    lines = (
        "# Written by `make demo`. Sample installation: simulated accounts only.",
        "ALGOMIRROR_DEMO=true",
        f"DJANGO_SECRET_KEY={secrets.token_urlsafe(48)}",
        f"ALGOMIRROR_FERNET_KEYS={base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}",
    )
    draft = file.with_name(f"demo.env.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write("\n".join(lines) + "\n")
    draft.replace(file)
