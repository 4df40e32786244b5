"""What the signals cluster does for open pages."""

from __future__ import annotations

from accounts import health
from algomirror.frame import dashboard
from algomirror.frame.activity import verification
from algomirror.frame.readiness import board, drilled
from algomirror.ops import push


def publish() -> None:
    push.push("frame", "values", v=dashboard.live_values())
    push.flush()


def check_readiness() -> None:
    board.run()


def ask_and_check(*account_ids: int) -> None:
    """Ask these accounts at once, then judge."""
    health.check_links(account_ids)
    board.run()


def verify_journal() -> None:
    verification.run()


def drill_restore() -> None:
    """Prove that the newest copy comes back. In the quiet hours: it takes minutes of a large database."""
    drilled.run()
