"""One measured figure, as a line that machines read."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True)
class Figure:
    bench: str
    figure: str
    value: float
    unit: str
    target: float | None
    better: Literal["lower", "higher"]

    @property
    def ok(self) -> bool:
        """True without a target: the figure is shown, not judged."""
        if self.target is None:
            return True
        return self.value <= self.target if self.better == "lower" else self.value >= self.target


def report(figures: list[Figure]) -> int:
    """Print one JSON line per figure; the exit status."""
    for one in figures:
        sys.stdout.write(json.dumps({**asdict(one), "ok": one.ok}) + "\n")
    sys.stdout.flush()
    return 0 if all(one.ok for one in figures) else 1
