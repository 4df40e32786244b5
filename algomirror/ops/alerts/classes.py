"""Which class an alarm belongs to, and which classes never sleep. No Django."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Final

OTHER: Final = "OTHER"
NAMES: Final = {
    "EXIT": "Exit slow or stuck",
    "BLIND": "Blind: no usable price",
    "STOP": "Stop or limit tripped",
    "KILL": "Kill switch, account halted",
    "ENGINE": "Engine or feed down",
    "RECONCILE": "Books differ",
    "ORDER": "Order unknown or lost",
    "SECURITY": "Sign-in and journal",
    "REFERENCE": "Calendar and contracts",
    "REPORT": "End-of-day reports",
    OTHER: "Everything else",
}
# News: sent once, never counted among alarms, and nobody has to acknowledge it.
NEWS: Final = frozenset({"REPORT"})
# Quiet hours do not count for these, and they are repeated until acknowledged.
CRITICAL: Final = frozenset({"EXIT", "BLIND", "STOP", "KILL", "ENGINE", "RECONCILE", "ORDER"})
_BEGINS: Final = (
    ("EXIT", ("EXIT_", "RUN_STUCK", "UNWIND", "HEDGE_")),
    ("BLIND", ("BLIND",)),
    ("STOP", ("STOP_", "ACCOUNT_LIMIT", "LIMIT_", "MAX_", "MARGIN_")),
    ("KILL", ("KILL_", "ACCOUNT_HALTED")),
    (
        "ENGINE",
        ("METRONOME", "BEAT_", "TASK_", "GUARD_FAILED", "DRIVE_FAILED", "FEED_", "CLOCK_", "CLUSTER_", "NOT_READY", "SCHEDULE_"),
    ),
    ("RECONCILE", ("RECONCILE", "BOOK_", "MISSING", "AMBIGUOUS", "ILLEGAL", "FROZEN", "SETTLEMENT_")),
    ("ORDER", ("ORDER_", "ENTRY_", "UNKNOWN", "LAPSED", "LATE_", "QUEUED", "LOST_")),
    ("SECURITY", ("SIGN_IN", "JOURNAL_", "TOKEN_")),
    ("REFERENCE", ("REFERENCE", "INSTRUMENTS", "CALENDAR")),
    ("REPORT", ("DAY_REPORT",)),
)


def class_of(kind: str) -> str:
    return next((name for name, begins in _BEGINS if kind.startswith(begins)), OTHER)


def quiet_until(local: datetime, begins: time | None, ends: time | None) -> datetime | None:
    """The end of the quiet hours in which `local` falls; None outside them. They may pass midnight."""
    if begins is None or ends is None or begins == ends:
        return None
    at = local.time()
    is_quiet = begins <= at < ends if begins < ends else at >= begins or at < ends
    if not is_quiet:
        return None
    until = local.replace(hour=ends.hour, minute=ends.minute, second=ends.second, microsecond=0)
    return until if until > local else until + timedelta(days=1)
