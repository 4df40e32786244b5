"""Doors for the clusters."""

from __future__ import annotations

from marketdata import instruments


def refresh_instruments(account_id: int) -> str:
    outcome = instruments.import_instruments(account_id, actor="schedule")
    return f"{outcome.imported} imported, {len(outcome.failed)} exchanges failed"
