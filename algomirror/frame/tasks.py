"""What the signals cluster does for open pages."""

from __future__ import annotations

from algomirror.frame import dashboard
from algomirror.ops import push


def publish() -> None:
    push.push("frame", "values", v=dashboard.live_values())
    push.flush()
