"""A copy of the database that can be believed: taken while everything runs, checked before it counts, restored whole.

SQLite by its online backup, PostgreSQL by pg_dump. Beside each copy stands a manifest with its digest and the state of
the migrations. Sealed values stay sealed: the copy is worth nothing without ALGOMIRROR_FERNET_KEYS, which it does not hold.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from algomirror.kernel import clock
from algomirror.kernel.errors import Misconfigured, Refused

LONGEST_S = 900
# Of SQLite's pages: between two such steps others have the disk.
PAGES_A_STEP = 2_000


@dataclass(frozen=True, slots=True)
class Manifest:
    taken_at: str
    vendor: str
    version: str
    sha256: str
    bytes: int
    migrations: int


def take(folder: Path, *, keep: int | None = None) -> Path:
    """A new checked copy in `folder`; with `keep`, older ones beyond that number go. Raises Misconfigured when it failed."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = f"algomirror-{clock.now():%Y%m%dT%H%M%S.%fZ}.{'sqlite3' if connection.vendor == 'sqlite' else 'pgdump'}"
    part, done = folder / f"{name}.part", folder / name
    os.close(os.open(part, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600))
    try:
        try:
            _copy_out(part)
        except (sqlite3.Error, subprocess.TimeoutExpired) as error:
            raise Misconfigured(f"{type(error).__name__}: {error}") from None
        manifest = Manifest(
            taken_at=clock.now().isoformat(),
            vendor=connection.vendor,
            version=settings.VERSION,
            sha256=_digest(part),
            bytes=part.stat().st_size,
            migrations=MigrationRecorder.Migration.objects.count(),
        )
        _manifest_of(done).write_text(json.dumps(asdict(manifest), indent=1))
        part.rename(done)
    finally:
        part.unlink(missing_ok=True)
    if keep is not None:
        _forget(folder, keep)
    return done


def _copy_out(to: Path) -> None:
    if connection.vendor == "sqlite":
        with closing(sqlite3.connect(to)) as copy, _as_it_is_now() as source:
            source.backup(copy, pages=PAGES_A_STEP, sleep=0.01)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, nothing beside it to be forgotten
        _check_sqlite(to)
    else:
        program("pg_dump", "--format=custom", "--no-owner", f"--file={to}")
        program("pg_restore", "--list", str(to))


@contextmanager
def _as_it_is_now() -> Iterator[sqlite3.Connection]:
    """The database as of this moment for as long as it is copied. Outside a transaction of ours each write of another process
    would have SQLite copy everything anew, and on a trading day somebody writes every second."""
    with closing(sqlite3.connect(str(connection.settings_dict["NAME"]), isolation_level=None)) as source:
        source.execute("BEGIN")
        source.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        yield source


def _check_sqlite(path: Path) -> None:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as copy:
            said = copy.execute("PRAGMA integrity_check").fetchone()[0]
    except sqlite3.DatabaseError as error:
        raise Misconfigured(f"{path.name} is no sound database: {error}") from None
    if said != "ok":
        raise Misconfigured(f"{path.name} is no sound database: {said}")


def read_manifest(copy: Path) -> Manifest:
    """The manifest of a copy whose bytes are the ones that were taken. Raises Refused otherwise."""
    try:
        manifest = Manifest(**json.loads(_manifest_of(copy).read_text()))
    except (OSError, ValueError, TypeError):
        raise Refused(f"{copy.name} has no readable manifest beside it ({_manifest_of(copy).name}).") from None
    if not copy.is_file() or _digest(copy) != manifest.sha256:
        raise Refused(f"{copy.name} is missing or was changed since it was taken. Nothing was restored.")
    if manifest.vendor != connection.vendor:
        raise Refused(f"{copy.name} is of {manifest.vendor}; this installation runs on {connection.vendor}.")
    return manifest


def restore(copy: Path, *, replace: bool = False) -> Manifest:
    """Put a copy in the place of the database. Nothing else may run on it; an SQLite file that was there is kept aside."""
    manifest = read_manifest(copy)
    if _holds_something() and not replace:
        raise Refused("The database here is not empty. Look twice, then use --replace.")
    connection.close()
    if connection.vendor == "sqlite":
        _restore_sqlite(copy)
    else:
        name = str(connection.settings_dict["NAME"])
        program("pg_restore", "--clean", "--if-exists", "--no-owner", "--single-transaction", f"--dbname={name}", str(copy))
    return manifest


def _restore_sqlite(copy: Path) -> None:
    target = Path(str(connection.settings_dict["NAME"]))
    _check_sqlite(copy)
    fresh = target.with_name(f"{target.name}.fresh")
    shutil.copyfile(copy, fresh)
    fresh.chmod(0o600)
    for tail in ("-wal", "-shm"):  # they belong to the former file and would be played into the new one
        target.with_name(target.name + tail).unlink(missing_ok=True)
    if target.exists():
        target.rename(target.with_name(f"{target.name}.before-{clock.now():%Y%m%dT%H%M%S}"))
    fresh.rename(target)


def _holds_something() -> bool:
    tables = connection.introspection.table_names()
    if "django_migrations" not in tables:
        return False
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM accounts_user")
        return bool(cursor.fetchone()[0])


def program(name: str, *arguments: str, within_s: float = LONGEST_S) -> None:
    """One of PostgreSQL's own programs; the password goes by its environment, where no process list shows it."""
    found = shutil.which(name, path=settings.POSTGRES_BIN or None)
    if found is None:
        raise Misconfigured(f"{name} is not installed here: put it on PATH or name its folder in POSTGRES_BIN.")
    db: dict[str, Any] = connection.settings_dict
    where = {
        "PGHOST": db["HOST"],
        "PGPORT": db["PORT"],
        "PGUSER": db["USER"],
        "PGPASSWORD": db["PASSWORD"],
        "PGDATABASE": db["NAME"],
    }
    known = {key: str(value) for key, value in where.items() if value}
    done = subprocess.run(
        [found, *arguments], env={"PATH": os.defpath, **known}, capture_output=True, text=True, timeout=within_s
    )
    if done.returncode:
        raise Misconfigured(f"{name} failed: {done.stderr.strip()[-400:]}")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _manifest_of(copy: Path) -> Path:
    return copy.with_name(f"{copy.name}.json")


def copies(folder: Path) -> Sequence[Path]:
    """Oldest first."""
    return sorted(p for p in folder.glob("algomirror-*") if p.suffix in (".sqlite3", ".pgdump"))


def newest(folder: Path) -> datetime | None:
    """When the newest copy was taken, by its name; None when there is none."""
    found = copies(folder) if folder.is_dir() else ()
    return datetime.strptime(found[-1].name[11:33], "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC) if found else None


def _forget(folder: Path, keep: int) -> None:
    for old in copies(folder)[: -max(keep, 1)]:
        old.unlink(missing_ok=True)
        _manifest_of(old).unlink(missing_ok=True)
