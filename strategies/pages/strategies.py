"""The list of strategies and the builder's live preview."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import Prefetch

from algomirror.kernel import clock
from marketdata import calendar
from strategies.domain.legs import LegSpec, warnings
from strategies.domain.resolve import Contract, Line
from strategies.domain.schedules import next_opening
from strategies.models import Leg, Schedule, ScheduledStart, Strategy, Version
from strategies.services import resolving
from strategies.services.build import schedule_terms
from strategies.services.legrows import spec_of
from trading.models import Run


@dataclass(frozen=True, slots=True)
class StrategyRow:
    strategy: Strategy
    version: Version | None
    schedule: Schedule | None
    legs: tuple[str, ...]
    accounts: tuple[str, ...]
    open_run: Run | None
    last_run: Run | None
    # When a schedule that is on begins next, and what became of its newest day.
    next_at: datetime | None
    newest_day: ScheduledStart | None


def strategies_page(*, archived: bool = False, tag: str = "") -> list[StrategyRow]:
    """Every strategy with its newest version and its newest run, in a fixed number of queries."""
    legs = Prefetch("legs", queryset=Leg.objects.select_related("underlying").order_by("number"))
    versions = Prefetch(
        "versions",
        queryset=Version.objects.order_by("-number").prefetch_related(legs, "accounts").select_related("schedule", "grade"),
    )
    shown = Strategy.objects.filter(archived_at__isnull=not archived, is_template=False).prefetch_related(versions)
    found = [strategy for strategy in shown if not tag or tag in strategy.tags]
    ids = [strategy.pk for strategy in found]
    last = {run.strategy_id: run for run in Run.objects.filter(strategy_id__in=ids).order_by("id")}
    days = {row.strategy_id: row for row in ScheduledStart.objects.filter(strategy_id__in=ids).order_by("trading_day")}
    return [_row(strategy, last.get(strategy.pk), days.get(strategy.pk)) for strategy in found]


def _next_at(strategy: Strategy, version: Version | None) -> datetime | None:
    times = getattr(version, "schedule", None)
    if version is None or times is None or strategy.scheduled_at is None:
        return None
    exchanges = {leg.underlying.derivative_exchange for leg in version.legs.all()}
    return next_opening(
        schedule_terms(times), clock.now(), lambda day: all(calendar.sessions().windows(one, day) for one in exchanges)
    )


def next_starts() -> list[tuple[Strategy, datetime]]:
    """Schedules that are on, with when each begins next. One query while none is."""
    versions = Prefetch(
        "versions", queryset=Version.objects.order_by("-number").prefetch_related("legs__underlying").select_related("schedule")
    )
    on = Strategy.objects.filter(archived_at=None, is_template=False).exclude(scheduled_at=None).prefetch_related(versions)
    found = [(strategy, _next_at(strategy, next(iter(strategy.versions.all()), None))) for strategy in on]
    return [(strategy, at) for strategy, at in found if at is not None]


def _row(strategy: Strategy, last: Run | None, newest_day: ScheduledStart | None) -> StrategyRow:
    version = next(iter(strategy.versions.all()), None)
    return StrategyRow(
        strategy=strategy,
        version=version,
        schedule=getattr(version, "schedule", None),
        legs=() if version is None else tuple(_leg_text(leg) for leg in version.legs.all()),
        accounts=() if version is None else tuple(account.name for account in version.accounts.all()),
        open_run=last if last is not None and last.state != Run.State.CLOSED else None,
        last_run=last,
        next_at=_next_at(strategy, version),
        newest_day=newest_day,
    )


def _leg_text(leg: Leg) -> str:
    return spec_of(leg).text


@dataclass(frozen=True, slots=True)
class PreviewRow:
    leg: LegSpec
    contract: Contract | None
    line: Line | None
    covers: str


@dataclass(frozen=True, slots=True)
class DraftPreview:
    found: resolving.Resolved
    rows: list[PreviewRow]
    spot: dict[str, Any]
    net_premium: Decimal | None
    problems: list[str]
    warnings: list[str]


def draft_preview(legs: Sequence[LegSpec], *, has_max_loss: bool, ask: bool) -> DraftPreview:
    """What these legs mean at this moment. `ask` reads missing prices over REST; otherwise they stay unknown."""
    found = resolving.resolve(legs, ask=ask)
    lines = {line.leg: line for line in found.lines}
    return DraftPreview(
        found=found,
        rows=[
            PreviewRow(leg, found.contracts.get(leg.number), lines.get(leg.number), ", ".join(map(str, leg.hedges)))
            for leg in legs
        ],
        spot={name: None if price is None else Decimal(price) for name, price in found.snapshot["spot"].items()},
        net_premium=found.net_premium if len(lines) == len(legs) else None,
        problems=list(dict.fromkeys(d.sentence for d in found.denials)),
        warnings=warnings(legs, has_max_loss=has_max_loss),
    )
