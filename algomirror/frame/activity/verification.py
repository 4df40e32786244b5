"""Walking the journal's chain and keeping the verdict where the readiness board shows it."""

from __future__ import annotations

from algomirror.frame.readiness import board
from algomirror.frame.readiness.found import GREEN, RED, Found
from algomirror.kernel import clock
from algomirror.ops import alarms, chain, push


def run() -> chain.Verdict:
    verdict = chain.verify()
    place = "" if verdict.broken is None else f"row {verdict.broken}: "
    value = f"intact, {verdict.checked} rows, head {verdict.head[:24]}…" if verdict.is_intact else f"{place}{verdict.why}"
    remedy = "" if verdict.is_intact else "Keep the database as it is, compare with a backup: manage.py verify_journal."
    board.keep([Found(board.JOURNAL, GREEN if verdict.is_intact else RED, value, remedy)], clock.now())
    if not verdict.is_intact:
        alarms.ring("JOURNAL_BROKEN", f"The journal was tampered with. {place}{verdict.why}", key="chain")
    push.push("activity", "changed")
    return verdict
