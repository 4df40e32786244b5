"""What the risk page and the lists of runs show, from the same rows and the same P&L as the guards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from accounts.colours import hex_of
from accounts.models import Account
from algomirror.kernel import clock
from algomirror.ops import heartbeat, hooks, sight
from marketdata import quotes as store
from marketdata.domain.quotes import Quote
from risk import selectors
from risk.domain.guards import Rule, Snapshot, Stage, standing
from risk.domain.judges import measure
from risk.domain.sentences import RULE_NAMES
from risk.domain.snapshot import CLOCK, MONEY
from risk.domain.states import TradingMode
from risk.models import Blindness, RiskEvent, TradingState
from risk.selectors import OpenRun
from risk.services.fastguard import used_share
from trading.domain.pnl import Pnl, run_pnl
from trading.models import Run

EVENTS_SHOWN = 50
ORDER = list(Rule)


@dataclass(frozen=True, slots=True)
class LimitRow:
    """One guard: how far what it watches is from its level. `share` and `distance` None while that is unknown.

    `unit` says what the numbers are: rupees of P&L, a price, or an instant (`due`).
    """

    rule: str
    name: str
    scope: str
    state: str
    action: str
    unit: str
    level: Decimal | None
    value: Decimal | None
    share: Decimal | None
    distance: Decimal | None
    key: str
    evaluated_at: datetime | None
    due: datetime | None = None
    peak: Decimal | None = None
    ready: str = ""
    guard_id: int = 0
    # None: it is not paused now.
    paused_until: datetime | None = None
    paused_by: str = ""
    paused_why: str = ""

    @property
    def is_hard_stop(self) -> bool:
        """Takes the run out by itself at a loss, now."""
        return self.rule == Rule.MAX_LOSS and self.action == "EXIT" and self.paused_until is None


@dataclass(frozen=True, slots=True)
class RunRow:
    run_id: int
    name: str
    mode: str
    state: str
    started_at: datetime
    accounts: int
    pnl: Pnl
    limits: tuple[LimitRow, ...]
    blind_since: datetime | None

    @property
    def total(self) -> Decimal | None:
        return self.pnl.total

    @property
    def key(self) -> str:
        return f"run:{self.run_id}:pnl"

    @property
    def nearest(self) -> LimitRow | None:
        known = [m for m in self.limits if m.distance is not None and m.unit == "money" and m.state != "TRIPPED"]
        return min(known, key=lambda limit: limit.distance or Decimal(0), default=None)

    @property
    def has_stop(self) -> bool:
        return any(limit.is_hard_stop for limit in self.limits)


def run_rows(runs: Iterable[OpenRun] | None = None) -> list[RunRow]:
    """Open runs, the one nearest to a limit first; those whose P&L is unknown before all others."""
    found = list(selectors.open_runs() if runs is None else runs)
    quotes = store.get(key for run in found for key in run.wanted_keys)
    now = clock.now()
    rows = {row.pk: row for row in Run.objects.filter(pk__in=[run.run_id for run in found])}
    blind = dict(Blindness.objects.filter(run_id__in=rows).values_list("run_id", "since"))
    names = dict(Account.objects.values_list("pk", "name"))
    shown = [_row(run, rows[run.run_id], quotes, now, blind.get(run.run_id), names) for run in found if run.run_id in rows]
    return sorted(shown, key=_urgency)


def _urgency(row: RunRow) -> tuple[int, Decimal, int]:
    if row.total is None:
        return 0, Decimal(0), row.run_id
    nearest = row.nearest
    return (1, nearest.distance, row.run_id) if nearest and nearest.distance is not None else (2, Decimal(0), row.run_id)


def _row(
    open_run: OpenRun,
    run: Run,
    quotes: Mapping[str, Quote],
    now: datetime,
    blind: datetime | None,
    names: Mapping[int, str],
) -> RunRow:
    seen = selectors.snapshot(open_run, quotes, now, store.bounds())
    of_book = {book.book_id: names.get(book.account_id, "account") for book in open_run.books}
    guards = sorted(open_run.guards, key=lambda g: (ORDER.index(g.policy.rule), g.guard_id))
    return RunRow(
        run_id=run.pk,
        name=run.name,
        mode=run.mode,
        state=run.state,
        started_at=run.started_at,
        accounts=len(open_run.books),
        pnl=run_pnl(mark.pnl for mark in seen.books.values()),
        limits=tuple(_limit(run.pk, guard, seen, of_book, now) for guard in guards),
        blind_since=blind,
    )


def _limit(run_id: int, guard: selectors.Guard, seen: Snapshot, of_book: Mapping[int, str], now: datetime) -> LimitRow:
    policy, view = guard.policy, guard.view
    is_paused = policy.is_paused(now) and view.stage is not Stage.TRIPPED
    line = None if view.stage is Stage.TRIPPED else standing(policy, view, seen)
    level = view.level if line is None else line.level
    value = None if policy.rule in CLOCK else measure(policy, seen)
    if policy.rule is Rule.SUPERTREND:
        value = view.value
    is_money = policy.rule in MONEY
    share = used_share(policy.rule, value, policy.limit, view) if is_money and value is not None else None
    watches_run = policy.book_id is None
    scope = "run" if watches_run else of_book.get(policy.book_id or 0, "account")
    leg = seen.leg(policy.book_id, policy.leg)
    return LimitRow(
        rule=policy.rule.value,
        name=RULE_NAMES[policy.rule.value],
        scope=f"{scope}, {leg.key.partition(':')[2]}" if leg else f"{policy.expiry}" if policy.expiry else scope,
        state=view.stage.value,
        action=policy.action,
        unit="time" if policy.rule in CLOCK else "money" if is_money else "price",
        level=level,
        value=value,
        share=None if share is None else share.quantize(Decimal("0.1")),
        distance=None if value is None or level is None else abs(value - level),
        key=f"run:{run_id}:{policy.rule.value.lower()}_share" if watches_run and is_money else "",
        evaluated_at=guard.evaluated_at,
        due=policy.due,
        peak=Decimal(view.inputs["peak"]) if "peak" in view.inputs else None,
        ready=str(view.inputs.get("ready", "")),
        guard_id=guard.guard_id,
        paused_until=policy.paused_until if is_paused else None,
        paused_by=guard.paused_by if is_paused else "",
        paused_why=guard.paused_why if is_paused else "",
    )


@dataclass(frozen=True, slots=True)
class StateRow:
    account_id: int | None
    name: str
    colour: str
    mode: str
    state: str
    since: datetime | None
    by: str
    why: str
    link: str


def state_rows() -> list[StateRow]:
    """The platform first, then every account, each with its own state and who set it."""
    known = {row.account_id: row for row in TradingState.objects.all()}
    rows = [_state(None, "Platform", "", "", "", known.get(None))]
    return rows + [
        _state(account.pk, account.name, hex_of(account.colour), account.mode, account.link, known.get(account.pk))
        for account in Account.objects.filter(archived_at=None)
    ]


def _state(account_id: int | None, name: str, colour: str, mode: str, link: str, row: TradingState | None) -> StateRow:
    return StateRow(
        account_id=account_id,
        name=name,
        colour=colour,
        mode=mode,
        state=TradingMode.ACTIVE.value if row is None else row.state,
        since=None if row is None else row.since,
        by="" if row is None else row.by,
        why="" if row is None else row.why,
        link=link,
    )


def events(*, run_id: int | None = None) -> list[RiskEvent]:
    found = RiskEvent.objects.select_related("run", "account", "book__account").order_by("-id")
    return list(found.filter(run_id=run_id) if run_id is not None else found[:EVENTS_SHOWN])


def kill_scopes() -> list[dict[str, Any]]:
    """What the kill switch can be aimed at; the header's dialog and /risk/kill show the same."""
    accounts = Account.objects.filter(archived_at=None).values_list("pk", "name")
    groups = hooks.call("groups")
    runs = Run.objects.exclude(state=Run.State.CLOSED).values_list("pk", "name")
    everything = [] if sight.is_limited() else [{"value": "platform", "label": "Everything, all accounts"}]
    return [
        *everything,
        *({"value": f"group:{pk}", "label": f"Group {name}"} for pk, name in groups),
        *({"value": f"account:{pk}", "label": f"Account {name}"} for pk, name in accounts),
        *({"value": f"run:{pk}", "label": f"Run {pk}: {name}"} for pk, name in runs),
    ]


def risk_page() -> dict[str, Any]:
    runs = run_rows()
    return {
        "runs": runs,
        "states": state_rows(),
        "events": events(),
        "sweep_age_s": heartbeat.age_s("risk-sweep"),
        "armed": sum(run.has_stop for run in runs),
        "blind": sum(run.blind_since is not None for run in runs),
        "unstopped": sum(not run.has_stop for run in runs),
    }
