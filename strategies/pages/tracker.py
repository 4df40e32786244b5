"""Margin in use of every account over the last days: a line each, drawn on the server."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from accounts.models import Account
from algomirror.kernel import clock
from risk.models import MarginSample
from risk.services.tracking import SLOT_S, alarm_levels

DAYS: Final = (1, 5, 20)
WIDTH, HEIGHT = 400, 60
POINTS: Final = 400
# A session's pause between two samples: the line is broken there instead of drawn through the night.
GAP: Final = timedelta(seconds=3 * SLOT_S)


@dataclass(frozen=True, slots=True)
class TrackRow:
    """One account. `lines` are SVG points, one line per unbroken stretch; `alarm_y` the height of the alarm level."""

    account: Account
    newest: MarginSample | None
    high: Decimal | None
    alarm: int | None
    alarm_y: str
    lines: tuple[str, ...]

    @property
    def is_high(self) -> bool:
        return self.newest is not None and self.alarm is not None and self.newest.share >= self.alarm


def tracker_page(days: int) -> dict[str, Any]:
    """Three queries for any number of accounts. `days` is one of DAYS."""
    since = clock.now() - timedelta(days=days)
    found: dict[int, list[MarginSample]] = defaultdict(list)
    for sample in MarginSample.objects.filter(at__gte=since).order_by("at"):
        found[sample.account_id].append(sample)
    levels = alarm_levels()
    rows = [
        _row(account, found[account.pk], levels.get(account.pk, levels.get(None)))
        for account in Account.objects.filter(archived_at=None)
    ]
    return {"rows": rows, "days": days, "choices": DAYS, "width": WIDTH, "height": HEIGHT}


def _row(account: Account, samples: list[MarginSample], alarm: int | None) -> TrackRow:
    return TrackRow(
        account=account,
        newest=samples[-1] if samples else None,
        high=max((sample.share for sample in samples), default=None),
        alarm=alarm,
        alarm_y="" if alarm is None else _y(Decimal(alarm)),
        lines=_lines(samples),
    )


def _lines(samples: list[MarginSample]) -> tuple[str, ...]:
    """Stretches side by side: what lies between sessions takes no room."""
    picked = samples[:: max(len(samples) // POINTS, 1)]
    if not picked:
        return ()
    step = WIDTH / max(len(picked) - 1, 1)
    stretches: list[list[str]] = [[]]
    before = picked[0].at
    for n, sample in enumerate(picked):
        if sample.at - before > GAP * max(len(samples) // POINTS, 1):
            stretches.append([])
        stretches[-1].append(f"{n * step:.1f},{_y(sample.share)}")
        before = sample.at
    return tuple(" ".join(stretch if len(stretch) > 1 else (stretch[0], _beside(stretch[0]))) for stretch in stretches)


def _beside(point: str) -> str:
    """A sample alone is a short dash, or it would not be seen."""
    x, _, y = point.partition(",")
    return f"{float(x) + WIDTH / 50:.1f},{y}"


def _y(share: Decimal) -> str:
    return f"{HEIGHT - 2 - float(min(share, Decimal(100))) / 100 * (HEIGHT - 4):.1f}"


def as_rows(days: int) -> list[dict[str, Any]]:
    """For the API: every sample, oldest first."""
    since: datetime = clock.now() - timedelta(days=days)
    rows = MarginSample.objects.filter(at__gte=since).order_by("at", "account_id")
    names = ("account_id", "at", "usable", "used", "reserved", "share")
    return list(rows.values(*names))
