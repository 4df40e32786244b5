"""The header's numbers, in a bounded number of queries."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

NAV = (
    ("/dashboard", "Dashboard", "dashboard"),
    ("/chain", "Option chain", "chain"),
    ("/strategies", "Strategies", "strategies"),
    ("/runs", "Runs", "runs"),
    ("/positions", "Positions", "positions"),
    ("/orders", "Orders", "orders"),
    ("/risk", "Risk", "risk"),
    ("/accounts", "Accounts", "accounts"),
)


def header(request: HttpRequest) -> dict[str, Any]:
    return {
        "version": settings.VERSION,
        "nav": [{"url": u, "label": label, "icon": icon, "active": request.path.startswith(u)} for u, label, icon in NAV],
    }
