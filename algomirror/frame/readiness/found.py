"""One finding of the board."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from algomirror.ops.models import Check

GREEN, AMBER, RED = Check.State.GREEN, Check.State.AMBER, Check.State.RED
OF_ACCOUNTS = ("gateway", "key and broker session", "mode", "funds", "positions", "clock", "calls", "registered address")
OF_THE_HOUSE = (
    "calendar",
    "contract terms",
    "prices",
    "order streams",
    "disk",
    "backups",
    "alert channels",
    "restore drill",
    "journal chain",
)
PARTS = ("database", "redis", "metronome", "feed")
# Followed by an exchange, or by a cluster.
BEGINNINGS = ("contracts ", "cluster ")


@dataclass(frozen=True, slots=True)
class Found:
    """`account_id` 0: of the whole product. `remedy` is what a person does about it; empty when green."""

    name: str
    state: Check.State
    value: str
    remedy: str = ""
    account_id: int = 0


def is_line(name: str) -> bool:
    """Whether the board can have a line of this name."""
    return name in (*OF_ACCOUNTS, *OF_THE_HOUSE, *PARTS) or name.startswith(BEGINNINGS)


def ago(at: datetime, now: datetime) -> str:
    """In the words of the pages: 12 s, 4 min, 3 h, 2 d ago."""
    seconds = max(int((now - at) / timedelta(seconds=1)), 0)
    for size, word in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {word} ago"
    return f"{seconds} s ago"
