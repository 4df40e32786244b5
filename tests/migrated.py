"""The empty database of a new installation, migrated once for all the processes that a run of tests starts.

That an installation migrates itself is shown where that is the question: the demo's start, `up` on an old database.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parent.parent


def copy_to(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_empty(), file)


@cache
def _empty() -> Path:
    var = Path(tempfile.mkdtemp(prefix="algomirror-migrated-"))
    atexit.register(shutil.rmtree, var, ignore_errors=True)
    file = var / "empty.sqlite3"
    env = os.environ | {"ALGOMIRROR_VAR": str(var), "DATABASE_URL": f"sqlite:///{file}"}
    line = [sys.executable, "manage.py", "migrate", "--no-input", "-v", "0"]
    subprocess.run(line, cwd=ROOT, env=env, check=True, capture_output=True, timeout=PATIENCE_S)
    # The last to close writes the log back into the file.
    assert not file.with_name(f"{file.name}-wal").exists()
    return file
