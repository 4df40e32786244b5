"""The best and the worst of every open run, as the sweep sees it on complete marks. Read by pages; decides nothing."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from django.db import transaction

from algomirror.kernel.money import ZERO, to_paisa
from risk.models import RunExtremes


def note(totals: Mapping[int, Decimal]) -> int:
    """Widen what is kept by this P&L by run id. How many moved: most seconds none does, and nothing is written.

    Two sweeps at once may each miss the other's second; a later mark widens it again.
    """
    known = {row.run_id: row for row in RunExtremes.objects.filter(run_id__in=totals)}
    fresh = [RunExtremes(run_id=run_id) for run_id in totals if run_id not in known]
    moved = [row for run_id, row in known.items() if _widen(row, totals[run_id])]
    for row in fresh:
        _widen(row, totals[row.run_id])
    if not fresh and not moved:
        return 0
    with transaction.atomic():
        RunExtremes.objects.bulk_create(fresh, ignore_conflicts=True)
        RunExtremes.objects.bulk_update(moved, ["highest", "lowest", "drawdown"])
    return len(fresh) + len(moved)


def _widen(row: RunExtremes, total: Decimal) -> bool:
    value = to_paisa(total)
    before = row.highest, row.lowest, row.drawdown
    row.highest, row.lowest = max(row.highest, value, ZERO), min(row.lowest, value, ZERO)
    row.drawdown = max(row.drawdown, row.highest - value)
    return before != (row.highest, row.lowest, row.drawdown)


def drawdown(row: RunExtremes | None, last: Decimal) -> Decimal | None:
    """The deepest fall of a run that ended at `last`; None when it was never seen on a complete mark."""
    return None if row is None else max(row.drawdown, row.highest - last)
