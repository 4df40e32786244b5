"""Supertrend on the combined premium of a run: the series that charts show and that decides, bar by closed bar.

One series for page and guard (`series`). A bar is looked at once, after its end, when every leg has its last minute; for
want of a leg's minute it waits, then takes the carried close or counts as invalid. The decision goes the way of all others.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from algomirror.kernel.ids import digest
from algomirror.ops import alarms
from marketdata import candles
from marketdata import quotes as store
from marketdata.domain.candles import MINUTE, Candle, slots
from marketdata.domain.quotes import Bounds
from risk import selectors
from risk.domain.guards import Rule, Signal, Stage
from risk.domain.supertrend import Direction, Trend, bars_to_be_ready, batch
from risk.domain.terms import SupertrendTerms
from risk.domain.terms import terms_of as more_of
from risk.models import GuardState, RunLimits
from risk.selectors import Guard, OpenRun
from risk.services import sweep
from trading.models import Run

log = logging.getLogger(__name__)

DAYS = 5
PATIENCE = timedelta(seconds=20)
ALARM_AFTER_INVALID = 2
LEVEL_STEP = Decimal("0.000001")

Compute = Callable[[Sequence[tuple[float, float, float]], int, float], list[Trend | None]]


@dataclass(frozen=True, slots=True)
class Series:
    """Closed bars of the combined premium with their lines, oldest first; `forming` is the bar that has not ended."""

    is_credit: bool
    weights: Mapping[str, Decimal]
    bars: tuple[Candle, ...]
    trends: tuple[Trend | None, ...]
    forming: Candle | None
    needed: int

    @property
    def is_ready(self) -> bool:
        return len(self.bars) >= self.needed

    @property
    def readiness(self) -> str:
        return "READY" if self.is_ready else f"NOT READY: {len(self.bars)} of {self.needed} bars"

    @property
    def digest(self) -> str:
        """Of every number the newest decision stood on."""
        return digest("|".join(f"{b.closes_at.isoformat()},{b.high},{b.low},{b.close}" for b in self.bars))[:16]

    def turned_against(self, at: int) -> bool:
        """Bar `at` is ready and turned the way that costs this structure."""
        now, before = self.trends[at], self.trends[at - 1] if at else None
        if now is None or before is None or at + 1 < self.needed:
            return False
        return now.direction is not before.direction and now.direction is self.adverse

    def is_against(self) -> bool:
        """The newest bar stands on the side that costs this structure."""
        newest = self.trends[-1] if self.trends else None
        return newest is not None and newest.direction is self.adverse

    @property
    def adverse(self) -> Direction:
        return Direction.UP if self.is_credit else Direction.DOWN


def series(run: OpenRun, terms: SupertrendTerms, now: datetime, *, compute: Compute = batch) -> Series | None:
    """None when the run owns nothing whose premium could be drawn."""
    seen = selectors.snapshot(run, {}, datetime(2000, 1, 1, tzinfo=UTC), Bounds(0, 0), with_legs=True)
    is_credit = seen.net_premium(None) < 0 if terms.side == "AUTO" else terms.side == "CREDIT"
    weights = seen.premium_weights(is_credit)
    if not weights:
        return None
    made = candles.premium(weights, terms.timeframe, DAYS, now)
    closed = tuple(bar for bar in made if bar.is_closed)
    rows = [(float(bar.high), float(bar.low), float(bar.close)) for bar in closed]
    return Series(
        is_credit=is_credit,
        weights=weights,
        bars=closed,
        trends=tuple(compute(rows, terms.period, float(terms.multiplier))),
        forming=made[-1] if made and not made[-1].is_closed else None,
        needed=bars_to_be_ready(terms.period),
    )


def terms_in_force(run_id: int) -> SupertrendTerms | None:
    """The run's own Supertrend, or the usual one where it has none; None for a run without limits."""
    limits = RunLimits.objects.filter(run__in=Run.objects.filter(pk=run_id)).first()
    return None if limits is None else more_of(limits.terms).supertrend or SupertrendTerms()


def drawn_days(found: Series, days: int, now: datetime) -> list[tuple[Candle, Trend | None]]:
    """Closed bars of the last `days` trading days with their lines, as they stand in the whole series."""
    sessions = candles.windows(next(iter(found.weights)).partition(":")[0], days, now)
    since = sessions[0].opens_at if sessions else now
    return [pair for pair in zip(found.bars, found.trends, strict=True) if pair[0].opens_at >= since]


def due_bar(exchange: str, timeframe: int, now: datetime) -> datetime | None:
    """End of the newest bar of today's session that has ended; None before the first one."""
    ends = [end for _, end in slots(candles.windows(exchange, 1, now), timeframe) if end <= now]
    return ends[-1] if ends else None


def look(now: datetime, *, compute: Compute = batch) -> int:
    """Look at every run with a Supertrend guard whose newest bar was not looked at; how many were decided on."""
    waiting = GuardState.objects.filter(rule=Rule.SUPERTREND.value, state__in=[Stage.WAITING.value, Stage.ARMED.value])
    ids = list(waiting.exclude(run__state=Run.State.CLOSED).values_list("run_id", flat=True))
    if not ids:
        return 0
    started = dict(Run.objects.filter(pk__in=ids).values_list("pk", "started_at"))
    done = 0
    for run in selectors.open_runs(ids):
        try:
            done += _look_at(run, started[run.run_id], now, compute)
        except Exception:
            log.exception("supertrend not looked at run=%s", run.run_id)
            alarms.ring("SUPERTREND_BLIND", f"{run.name}: Supertrend could not be computed", run_id=run.run_id)
    return done


def _look_at(run: OpenRun, started_at: datetime, now: datetime, compute: Compute) -> bool:
    guard = next((g for g in run.guards if g.policy.rule is Rule.SUPERTREND and g.view.stage is not Stage.TRIPPED), None)
    terms = None if guard is None else guard.policy.terms
    if guard is None or not isinstance(terms, SupertrendTerms) or not run.open_keys:
        return False
    if guard.policy.is_paused(now):
        return False
    exchange = next(iter(run.open_keys)).partition(":")[0]
    due = due_bar(exchange, terms.timeframe, now)
    if due is None or due <= started_at or guard.view.inputs.get("bar") == due.isoformat():
        return False
    if now - due < PATIENCE and not _has_last_minutes(run, due):
        return False
    found = series(run, terms, now, compute=compute)
    if found is None:
        return False
    if not found.bars or found.bars[-1].closes_at != due:
        _invalid(run, guard, found, due, now)
        return False
    if not found.is_ready:
        sweep.keep_signal(guard, _memory(found, due, terms), now)
        return False
    _decide(run, guard, found, terms, due, started_at, now)
    return True


def _has_last_minutes(run: OpenRun, end: datetime) -> bool:
    rows = candles.minutes(run.open_keys, end - MINUTE, end)
    return all(rows[key] for key in run.open_keys)


def _invalid(run: OpenRun, guard: Guard, found: Series, due: datetime, now: datetime) -> None:
    """No decision on a bar that cannot be known; the second in a row rings, and the money stop goes on guarding."""
    missed = int(guard.view.inputs.get("invalid", 0)) + 1
    memory = {**guard.view.inputs, "bar": due.isoformat(), "invalid": missed, "ready": f"NOT READY: {missed} invalid bars"}
    sweep.keep_signal(guard, memory, now)
    if missed >= ALARM_AFTER_INVALID:
        text = f"{run.name}: Supertrend has no complete bar for {missed} bars; max loss guards"
        alarms.ring("SUPERTREND_BLIND", text, run_id=run.run_id, bar=due.isoformat(), legs=sorted(found.weights))


def _decide(
    run: OpenRun, guard: Guard, found: Series, terms: SupertrendTerms, due: datetime, started_at: datetime, now: datetime
) -> None:
    since = _judged_until(guard, started_at)
    fresh = [at for at, bar in enumerate(found.bars) if bar.closes_at > since]
    at = next((at for at in fresh if found.turned_against(at)), len(found.bars) - 1)
    if _was_paused(guard, since) and not found.is_against():
        at = len(found.bars) - 1
    trend = found.trends[at]
    assert trend is not None
    is_first = "line" not in guard.view.inputs
    turned = found.turned_against(at) or (terms.adverse_at_arming and is_first and trend.direction is found.adverse)
    memory = _memory(found, due, terms)
    signal = Signal(turned, found.bars[at].close, level(trend.line), memory | {"decided": found.bars[at].closes_at.isoformat()})
    quotes = store.get(run.wanted_keys)
    sweep.evaluate_run(run.run_id, quotes=quotes, now=now, seen_by="signal", signal=signal)


def _judged_until(guard: Guard, started_at: datetime) -> datetime:
    """End of the last bar that was judged. One that counted as invalid was not: its minutes may have come since."""
    known = guard.view.inputs
    last = known.get("decided") or (known.get("bar") if "digest" in known else None)
    return max(started_at, datetime.fromisoformat(last)) if last else started_at


def _was_paused(guard: Guard, since: datetime) -> bool:
    """In the time of the bars that are looked at now. A turn of that time counts only while it still stands."""
    return guard.policy.paused_until is not None and guard.policy.paused_until > since


def _memory(found: Series, due: datetime, terms: SupertrendTerms) -> dict[str, Any]:
    trend = found.trends[-1]
    memory: dict[str, Any] = {
        "bar": due.isoformat(),
        "ready": found.readiness,
        "side": "CREDIT" if found.is_credit else "DEBIT",
        "digest": found.digest,
        "timeframe": terms.timeframe,
        "invalid": 0,
    }
    if trend is not None and found.is_ready:
        memory |= {"value": str(found.bars[-1].close), "line": str(level(trend.line)), "direction": trend.direction.value}
        memory["ready"] = f"{trend.direction.value} at the bar that closed"
    return memory


def level(line: float) -> Decimal:
    """A line as it is stored, shown and compared: exact to a millionth."""
    return Decimal(repr(line)).quantize(LEVEL_STEP)


def drawn(run: OpenRun, terms: SupertrendTerms, now: datetime) -> dict[str, Any]:
    """The guard's own series as JSON: prices as exact text, times as epoch seconds."""
    found = series(run, terms, now)
    if found is None:
        return {"bars": [], "state": "CLOSED", "legs": {}}
    return {
        "side": "CREDIT" if found.is_credit else "DEBIT",
        "state": found.readiness,
        "timeframe": terms.timeframe,
        "period": terms.period,
        "multiplier": str(terms.multiplier),
        "legs": {key: f"{weight.normalize():f}" for key, weight in found.weights.items()},
        "bars": [_bar(bar, trend) for bar, trend in zip(found.bars, found.trends, strict=True)],
        "forming": None if found.forming is None else _bar(found.forming, None),
    }


def _bar(bar: Candle, trend: Trend | None) -> dict[str, Any]:
    return {
        "t": int(bar.opens_at.timestamp()),
        "o": str(bar.open),
        "h": str(bar.high),
        "l": str(bar.low),
        "c": str(bar.close),
        "carried": bar.carried,
        "line": None if trend is None else str(level(trend.line)),
        "up": None if trend is None else trend.direction is Direction.UP,
    }
