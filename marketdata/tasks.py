"""Doors for the clusters."""

from __future__ import annotations

from algomirror.kernel import clock
from marketdata import backfill, candles, instruments, timetable


def refresh_instruments(account_id: int) -> str:
    outcome = instruments.import_instruments(account_id, actor="schedule")
    timetable.warn_if_uncovered()
    candles.forget_old(clock.today())
    return f"{outcome.imported} imported, {len(outcome.failed)} exchanges failed"


def backfill_candles() -> str:
    written = backfill.run()
    return f"{sum(written.values())} minutes of {len(written)} instruments"
