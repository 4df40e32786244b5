"""The night's restore drill and its verdict on the board."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from algomirror.frame.readiness import board
from algomirror.frame.readiness.found import GREEN, RED, Found
from algomirror.kernel import clock
from algomirror.kernel.errors import Misconfigured, Refused
from algomirror.ops import alarms, backup, drill

# The signals cluster ends its tasks after two minutes.
WITHIN_S = 100.0
_REMEDY = "A copy that does not come back is none. Take one with manage.py backup --to FOLDER and look why."


def run() -> Found | None:
    """Restore the newest copy into an empty place and keep the verdict; None when there is no copy, which has its own line."""
    copies = backup.copies(Path(settings.BACKUP_DIR)) if settings.BACKUP_DIR else ()
    if not copies:
        return None
    try:
        done = drill.run(copies[-1], within_s=WITHIN_S)
    except (Misconfigured, Refused, OSError) as error:
        found = Found(board.DRILL, RED, f"{copies[-1].name}: {error}"[:200], _REMEDY)
        alarms.ring("BACKUP_NOT_RESTORABLE", f"The newest copy of the database could not be restored: {error}"[:500])
    else:
        found = Found(
            board.DRILL, GREEN, f"the copy of {done.taken_at[:16]} came back in {done.took_s:.0f} s. {done.chain}"[:200]
        )
    board.keep([found], clock.now())
    return found
