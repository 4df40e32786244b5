"""What the clock will do next: runs that leave at a time, schedules that begin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from risk.domain.guards import Stage
from risk.domain.sentences import RULE_NAMES
from risk.selectors import OpenRun
from strategies.pages.strategies import next_starts

SHOWN = 6


@dataclass(frozen=True, slots=True)
class Timed:
    at: datetime
    text: str
    url: str


def timed_acts(runs: Iterable[OpenRun]) -> list[Timed]:
    """The nearest first. Of each run and rule the first time only: legs of one expiry leave together."""
    found: dict[tuple[int, str], Timed] = {}
    for run in runs:
        for guard in run.guards:
            due, rule = guard.policy.due, RULE_NAMES[guard.policy.rule.value]
            if due is None or guard.view.stage is Stage.TRIPPED:
                continue
            known = found.get((run.run_id, rule))
            if known is None or due < known.at:
                found[run.run_id, rule] = Timed(due, f"{run.name} leaves: {rule.lower()}", f"/runs/{run.run_id}")
    starts = [Timed(at, f"{strategy.name} begins", f"/strategies/{strategy.pk}/edit") for strategy, at in next_starts()]
    return sorted([*found.values(), *starts], key=lambda one: (one.at, one.text))[:SHOWN]
