"""The numbers that guards watch, ready for every tick: who watches which, between which levels, with which memory."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from algomirror.kernel import clock
from marketdata.domain.quotes import Bounds
from risk import selectors
from risk.domain.gauges import Gauge, pnl_gauge, premium_gauge, price_gauge
from risk.domain.guards import GuardView, Snapshot, Stage, moved, recall, standing
from risk.domain.judges import JUDGES, Standing
from risk.domain.snapshot import CLOCK, MONEY, OF_A_LEG, PREMIUM, RATCHETS, Rule
from risk.prints import Print
from risk.selectors import Guard, OpenRun
from risk.services.sweep import Memories, Note

log = logging.getLogger(__name__)

NO_QUOTES_AT = datetime(2000, 1, 1, tzinfo=UTC)
NO_BOUNDS = Bounds(0, 0)

Measure = tuple[str, str | int | None]


class Line:
    """One number of one run, with the untripped guards that watch it. Ratchets learn from every value."""

    def __init__(
        self, run_id: int, gauge: Gauge, guards: Iterable[tuple[Guard, GuardView]], seen: Snapshot, now: datetime
    ) -> None:
        self.run_id = run_id
        self.gauge = gauge
        self._seen = seen
        self._standings: dict[int, Standing] = {}
        self._ratchets: dict[int, tuple[Guard, GuardView]] = {}
        self._peaks: dict[int, Decimal | None] = {}
        self._paused: dict[int, datetime] = {}
        for guard, view in guards:
            if guard.policy.paused_until is not None:
                self._paused[guard.guard_id] = guard.policy.paused_until
            self._place(guard, view, standing(guard.policy, view, seen))
        self._bound(now)

    def _place(self, guard: Guard, view: GuardView, line: Standing | None) -> None:
        if line is None:
            return
        self._standings[guard.guard_id] = line
        # A guard that never saw a fill has nothing to remember: arming starts its memory.
        if guard.policy.rule in RATCHETS and view.stage is Stage.ARMED:
            kept = GuardView(view.stage, line.level, view.value, view.armed_at, inputs=line.inputs)
            self._ratchets[guard.guard_id] = (guard, kept)
            peak = line.inputs.get("peak")
            self._peaks[guard.guard_id] = None if peak is None else Decimal(peak)

    def _bound(self, now: datetime) -> None:
        """The levels of paused guards are no level yet; they count from the first value after their pause."""
        waiting = {guard_id: until for guard_id, until in self._paused.items() if now < until}
        self._resumes_at = min(waiting.values(), default=None)
        self.gauge = self.gauge.between(line for guard_id, line in self._standings.items() if guard_id not in waiting)

    def sees(self, value: Decimal, now: datetime) -> bool:
        """Take one value; True when it touches a level."""
        if self._resumes_at is not None and now >= self._resumes_at:
            self._bound(now)
        for guard_id, (guard, view) in list(self._ratchets.items()):
            peak = self._peaks[guard_id]
            if peak is None or (value > peak if self._standings[guard_id].trips == "DOWN" else value < peak):
                line = JUDGES[guard.policy.rule](guard.policy, view, value, self._seen)
                self._place(guard, GuardView(view.stage, view.level, value, view.armed_at, inputs=view.inputs), line)
                self._bound(now)
        return self.gauge.touches(value)

    def views(self) -> dict[int, GuardView]:
        return {guard_id: view for guard_id, (_, view) in self._ratchets.items()}

    def moved(self) -> list[Note]:
        return [Note(guard, view) for guard, view in self._ratchets.values() if moved(guard.view.inputs, view.inputs)]


@dataclass(frozen=True, slots=True)
class Watched:
    """One run with its lines, its whole P&L as one, and the print it was read with."""

    run: OpenRun
    lines: tuple[Line, ...]
    total: Gauge
    print_: Print


class Index:
    """What is open, as of the last reload: runs with their lines, and lines by instrument."""

    def __init__(self, watched: Mapping[int, Watched]) -> None:
        self.watched = dict(watched)
        by_key: dict[str, list[Line]] = defaultdict(list)
        for one in self.watched.values():
            for line in one.lines:
                for key in line.gauge.keys:
                    by_key[key].append(line)
            for key in one.run.wanted_keys:
                by_key.setdefault(key, [])  # a total wants its marks also where no guard watches
        self.by_key: Mapping[str, tuple[Line, ...]] = {key: tuple(found) for key, found in by_key.items()}

    def memories(self, run_id: int | None = None) -> dict[int, GuardView]:
        chosen = list(self.watched.values()) if run_id is None else [self.watched[run_id]] if run_id in self.watched else []
        return {guard_id: view for one in chosen for line in one.lines for guard_id, view in line.views().items()}

    def moved(self) -> list[Note]:
        return [note for one in self.watched.values() for line in one.lines for note in line.moved()]

    def with_runs(self, read: Iterable[tuple[OpenRun, Print]], gone: Iterable[int]) -> Index:
        """The same, with these runs read afresh and those gone; what ticks taught of a run goes on with it."""
        kept = dict(self.watched)
        for run_id in gone:
            kept.pop(run_id, None)
        for run, print_ in read:
            if run.open_keys:
                kept[run.run_id] = watch(run, print_, self.memories(run.run_id))
            else:
                kept.pop(run.run_id, None)
        return Index(kept)


EMPTY = Index({})


def watch(run: OpenRun, print_: Print, memories: Memories) -> Watched:
    total = pnl_gauge(p for b in run.books for p in b.positions)
    return Watched(run, tuple(_lines(run, memories)), total, print_)


def _lines(run: OpenRun, memories: Memories) -> Iterable[Line]:
    seen, now = selectors.snapshot(run, {}, NO_QUOTES_AT, NO_BOUNDS), clock.now()
    watched: dict[Measure, list[tuple[Guard, GuardView]]] = defaultdict(list)
    for guard in run.guards:
        if guard.view.stage is Stage.TRIPPED:
            continue
        try:
            measure, view = _measure(guard, run, seen), recall(guard.policy, guard.view, memories.get(guard.guard_id))
            standing(guard.policy, view, seen)
        except Exception:
            # The sweep rings for it; the tick goes on with the others.
            log.exception("guard not watched run=%s guard=%s", run.run_id, guard.guard_id)
            continue
        if measure is not None:
            watched[measure].append((guard, view))
    for (kind, which), guards in watched.items():
        gauge = _gauge(kind, which, run, seen)
        if gauge is not None:
            yield Line(run.run_id, gauge, guards, seen, now)


def _measure(guard: Guard, run: OpenRun, seen: Snapshot) -> Measure | None:
    policy = guard.policy
    if policy.rule in CLOCK or policy.rule is Rule.SUPERTREND:
        return None
    if policy.rule in MONEY:
        return "pnl", policy.book_id
    if policy.rule in PREMIUM:
        return "premium", None
    if policy.rule in OF_A_LEG:
        leg = seen.leg(policy.book_id, policy.leg)
        return None if leg is None or not leg.units else ("price", leg.key)
    return ("price", run.structure.underlying) if run.structure.underlying else None


def _gauge(kind: str, which: str | int | None, run: OpenRun, seen: Snapshot) -> Gauge | None:
    if kind == "premium":
        return premium_gauge(seen)
    if kind == "price":
        return price_gauge(str(which))
    return pnl_gauge(p for b in run.books if which is None or b.book_id == which for p in b.positions)
