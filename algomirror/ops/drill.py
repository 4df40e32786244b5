"""The night's proof that the newest copy could be restored: put into an empty place, opened by our own programs, thrown away."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db import connection

from algomirror.kernel import clock
from algomirror.kernel.errors import Misconfigured
from algomirror.ops import backup

SCRATCH = "algomirror_drill"
LONGEST_S = 3600.0


@dataclass(frozen=True, slots=True)
class Drilled:
    """A copy that came back: when it was taken, how long it took, and what verify_journal said of it."""

    taken_at: str
    took_s: float
    chain: str


def run(copy: Path, *, within_s: float = LONGEST_S) -> Drilled:
    """Raises Misconfigured or Refused with what was wrong. Outside any transaction."""
    began = clock.monotonic()

    def left() -> float:
        return max(began + within_s - clock.monotonic(), 0.1)

    manifest = backup.read_manifest(copy)
    try:
        with _scratch(copy, left()) as url:
            _ours(url, left(), "migrate", "--check")
            said = _ours(url, left(), "verify_journal")
    except subprocess.TimeoutExpired:
        raise Misconfigured(f"not done within {within_s:.0f} s; a large database is drilled by manage.py drill") from None
    return Drilled(manifest.taken_at, clock.monotonic() - began, said.strip())


@contextmanager
def _scratch(copy: Path, within_s: float) -> Iterator[str]:
    """A database that holds the copy and nothing else, for as long as it is looked at."""
    if connection.vendor == "sqlite":
        with tempfile.TemporaryDirectory(prefix="algomirror-drill-") as folder:
            place = Path(folder) / "copy.sqlite3"
            shutil.copyfile(copy, place)
            yield f"sqlite:///{place}"
        return
    _without_transaction(f"DROP DATABASE IF EXISTS {SCRATCH}")
    _without_transaction(f"CREATE DATABASE {SCRATCH}")
    try:
        backup.program("pg_restore", "--no-owner", "--single-transaction", f"--dbname={SCRATCH}", str(copy), within_s=within_s)
        yield _url(connection.settings_dict)
    finally:
        _without_transaction(f"DROP DATABASE IF EXISTS {SCRATCH}")


def _without_transaction(statement: str) -> None:
    import psycopg  # only where PostgreSQL is

    db: dict[str, Any] = connection.get_connection_params()
    wanted = {name: db[name] for name in ("host", "port", "user", "password") if db.get(name)}
    try:
        with psycopg.connect(dbname="postgres", autocommit=True, **wanted) as wire:
            wire.execute(statement)
    except psycopg.Error as error:
        said = re.sub(r"\s+", " ", str(error))[:200]
        raise Misconfigured(f"no scratch database for the drill: {said}. Its user needs CREATEDB.") from None


def _url(db: dict[str, Any]) -> str:
    who = quote(str(db["USER"]), safe="") + (f":{quote(str(db['PASSWORD']), safe='')}" if db["PASSWORD"] else "")
    return f"postgresql://{who}@{db['HOST'] or 'localhost'}:{db['PORT'] or 5432}/{SCRATCH}"


def _ours(url: str, within_s: float, *line: str) -> str:
    env = {**os.environ, "DATABASE_URL": url}
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), *line]
    done = subprocess.run(command, cwd=settings.BASE_DIR, env=env, capture_output=True, text=True, timeout=within_s)
    if done.returncode:
        raise Misconfigured(f"{line[0]} on the restored copy failed: {done.stderr.strip()[-300:]}")
    return done.stdout
