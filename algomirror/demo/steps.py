"""From an empty directory to a database that the demo can be shown on. Every step may be repeated."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from algomirror.kernel import clock

Say = Callable[[str], None]
OPEN_DAYS = 30


def prepare(say: Say) -> None:
    with _timed("database", say):
        migrate()
    with _timed("calendar and contracts, market always open", say):
        call_command("load_reference", always_open=OPEN_DAYS, stdout=StringIO())
    with _timed("static files", say):
        collect_static()


@contextmanager
def _timed(what: str, say: Say) -> Iterator[None]:
    began = clock.monotonic()
    yield
    say(f"{what}: {clock.monotonic() - began:.1f} s")


def migrate() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", interactive=False, verbosity=0)


def collect_static() -> None:
    """Collect, unless nothing changed since the last time."""
    stamp = settings.VAR_DIR / "static.stamp"
    wanted = _static_fingerprint()
    if stamp.is_file() and stamp.read_text() == wanted and (settings.STATIC_ROOT / "staticfiles.json").is_file():
        return
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    stamp.write_text(wanted)


def _static_fingerprint() -> str:
    seen = hashlib.sha256()
    lock = Path(settings.BASE_DIR) / "requirements.lock"  # packages bring static files too
    roots = [Path(r) for r in settings.STATICFILES_DIRS]
    for path in [lock, *sorted(p for root in roots for p in root.rglob("*") if p.is_file())]:
        stat = path.stat()
        seen.update(f"{path}:{stat.st_size}:{stat.st_mtime_ns}\n".encode())
    return seen.hexdigest()
