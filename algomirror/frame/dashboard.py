"""The dashboard: am I safe, what do I hold, what is it worth, how do I get out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from accounts.models import Account
from accounts.selectors import Card, cards
from algomirror.frame.dashboard_next import Timed, timed_acts
from algomirror.frame.selectors import is_route
from algomirror.frame.templatetags.numbers import compact_rupees_text
from algomirror.kernel import clock
from algomirror.ops.alarms import ringing
from marketdata import quotes as store
from marketdata.models import Instrument
from marketdata.status import feed_status
from risk import selectors as risk
from risk.domain.guards import Rule, Stage
from risk.models import Blindness, TradingState
from risk.selectors import OpenRun
from risk.services.fastguard import used_share
from strategies.models import Strategy
from trading.domain.day import DayPnl
from trading.domain.orders import OrderState
from trading.domain.pnl import Pnl, book_pnl, run_pnl
from trading.models import Book, ExitGoal, Order, Run
from trading.pages import compare, day
from trading.pages.tags import Tag, tag_of

# Limits whose used share is a share of rupees; the others stand on the risk page.
MEASURED = frozenset({Rule.MAX_LOSS, Rule.MAX_PROFIT})


@dataclass(frozen=True, slots=True)
class Safety:
    """Counts of what a person must know of. `armed` and `runs` are good news, the others are not."""

    runs: int
    armed: int
    unguarded: int
    blind: int
    unknown: int
    stuck: int
    frozen: int
    differing: int
    restricted: int
    alarms: int

    @property
    def look(self) -> str:
        """Empty while all is calm, "warn" for what only wants to be read, "bad" for what may cost money."""
        if self.blind or self.unknown or self.stuck or self.frozen or self.differing:
            return "bad"
        return "warn" if self.unguarded or self.restricted or self.alarms else ""


@dataclass(frozen=True, slots=True)
class Limit:
    label: str
    share: Decimal | None
    said: str
    key: str


@dataclass(frozen=True, slots=True)
class RunRow:
    run_id: int
    name: str
    state: str
    mode: str
    since: datetime
    tags: tuple[Tag, ...]
    open_legs: int
    pnl: Pnl
    limits: tuple[Limit, ...]

    @property
    def pnl_key(self) -> str:
        return f"run:{self.run_id}:pnl"


@dataclass(frozen=True, slots=True)
class AccountCard:
    card: Card
    tag: Tag
    trading: str
    why: str
    pnl_today: DayPnl
    open_runs: int
    open_legs: int

    @property
    def pnl_key(self) -> str:
        return f"account:{self.tag.account_id}:pnl_today"

    @property
    def funds_note(self) -> str:
        if self.card.error:
            return f"last reading failed: {self.card.error}"
        return "not read yet" if self.card.as_of is None else ""

    @property
    def runs_note(self) -> str:
        return f"in {self.open_runs} run{'' if self.open_runs == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Step:
    text: str
    url: str
    is_done: bool


@dataclass(frozen=True, slots=True)
class Dashboard:
    safety: Safety
    accounts: list[AccountCard]
    runs: list[RunRow]
    platform: str
    # By mode, live first: never added up.
    days: dict[str, DayPnl]
    cash: Decimal | None
    steps: list[Step]
    timed: list[Timed]

    @property
    def today(self) -> DayPnl:
        """The one figure where there is room for one."""
        return next(iter(self.days.values()))

    @property
    def mode(self) -> str:
        """Of that figure; empty where there is no other."""
        return next(iter(self.days)) if len(self.days) > 1 else ""

    @property
    def paper_too(self) -> DayPnl | None:
        return self.days.get(day.PAPER) if len(self.days) > 1 else None

    @property
    def cash_note(self) -> str:
        return "unknown: not every account was read" if self.accounts and self.cash is None else ""


def dashboard() -> Dashboard:
    """Some twenty queries, whatever the number of accounts, runs and positions."""
    now, bounds = clock.now(), store.bounds()
    open_runs = risk.open_runs()
    lines = day.lines_of_today()
    quotes = store.get({key for run in open_runs for key in run.open_keys} | day.keys_of(lines))
    today = day.of(lines, quotes, now)
    states = {row.account_id: row for row in TradingState.objects.all()}
    found = cards()
    blind = set(Blindness.objects.exclude(since=None).values_list("run_id", flat=True))
    accounts = [_card(card, states, today, open_runs) for card in found]
    tags = {a.tag.account_id: a.tag for a in accounts}
    marks = {run.run_id: run_pnl(book_pnl(b.positions, quotes, now, bounds) for b in run.books) for run in open_runs}
    return Dashboard(
        safety=_safety(open_runs, blind, states, found),
        accounts=accounts,
        runs=_run_rows(open_runs, blind, tags, marks),
        platform=_state(states.get(None)),
        days={mode: today.made(mode) for mode in day.modes_of(today, {card.account.mode for card in found})},
        cash=_cash(found),
        steps=_steps(found),
        timed=timed_acts(open_runs),
    )


def _state(row: TradingState | None) -> str:
    return TradingState.State.ACTIVE if row is None else row.state


def _safety(runs: list[OpenRun], blind: set[int], states: Mapping[int | None, TradingState], found: list[Card]) -> Safety:
    unknown = Order.objects.filter(state__in=[OrderState.UNKNOWN, OrderState.QUEUED]).count()
    live = [run for run in runs if run.open_keys]
    return Safety(
        runs=len(runs),
        armed=sum(g.view.stage is Stage.ARMED for run in runs for g in run.guards),
        unguarded=sum(not _has_stop(run) for run in live),
        blind=sum(run.run_id in blind for run in runs),
        unknown=unknown,
        stuck=ExitGoal.objects.filter(state=ExitGoal.State.STUCK).count(),
        frozen=Book.objects.filter(state=Book.State.FROZEN).count(),
        differing=compare.differences([card.account for card in found]),
        restricted=sum(row.state != TradingState.State.ACTIVE for row in states.values()),
        alarms=ringing().count(),
    )


def _has_stop(run: OpenRun) -> bool:
    """A max loss that exits and has not tripped yet, or an exit on its way."""
    return any(g.policy.rule is Rule.MAX_LOSS and g.policy.action == "EXIT" for g in run.guards)


def _card(card: Card, states: Mapping[int | None, TradingState], today: day.Today, runs: list[OpenRun]) -> AccountCard:
    account: Account = card.account
    state = states.get(account.pk)
    books = [book for run in runs for book in run.books if book.account_id == account.pk and book.is_live]
    return AccountCard(
        card=card,
        tag=tag_of(account),
        trading=_state(state),
        why="" if state is None else state.why,
        pnl_today=today.made(account.mode, {account.pk}),
        open_runs=len(books),
        open_legs=sum(bool(p.units) for book in books for p in book.positions),
    )


def _run_rows(runs: list[OpenRun], blind: set[int], tags: Mapping[int, Tag], marks: Mapping[int, Pnl]) -> list[RunRow]:
    """Nearest to a limit first."""
    rows = {row.pk: row for row in Run.objects.filter(pk__in=marks)}
    shown = [_run_row(run, rows[run.run_id], run.run_id in blind, tags, marks[run.run_id]) for run in runs if run.run_id in rows]
    return sorted(
        shown, key=lambda row: max((limit.share or Decimal(0) for limit in row.limits), default=Decimal(0)), reverse=True
    )


def _run_row(run: OpenRun, row: Run, is_blind: bool, tags: Mapping[int, Tag], pnl: Pnl) -> RunRow:
    return RunRow(
        run_id=run.run_id,
        name=run.name,
        state="BLIND" if is_blind else row.state,
        mode=row.mode,
        since=row.started_at,
        tags=tuple(tags[book.account_id] for book in run.books if book.account_id in tags),
        open_legs=sum(bool(p.units) for book in run.books for p in book.positions),
        pnl=pnl,
        limits=tuple(
            _limit(run.run_id, guard, pnl.total)
            for guard in run.guards
            if guard.policy.rule in MEASURED and guard.policy.book_id is None
        ),
    )


def _limit(run_id: int, guard: risk.Guard, total: Decimal | None) -> Limit:
    rule, limit = guard.policy.rule, guard.policy.limit
    share = None if total is None else used_share(rule, total, limit, guard.view)
    share = None if share is None else share.quantize(Decimal("0.1"))
    name = "Max loss" if rule is Rule.MAX_LOSS else "Max profit"
    said = "not known" if share is None else f"{share}% of {compact_rupees_text(limit)}"
    return Limit(f"{name} used, {guard.view.stage.value.lower()}", share, f"{name}: {said}", _share_key(run_id, rule))


def _share_key(run_id: int, rule: Rule) -> str:
    return f"run:{run_id}:{rule.value.lower()}_share"


def _cash(found: list[Card]) -> Decimal | None:
    """None as soon as one account's cash is not known: a sum that leaves one out would be a lie."""
    funds = [card.funds for card in found]
    if not funds or any(one is None for one in funds):
        return None
    return sum((one.available_cash for one in funds if one is not None), Decimal(0))


def _steps(found: list[Card]) -> list[Step]:
    """What a new installation still lacks, in order; empty once the first run was started."""
    if Run.objects.exists():
        return []
    reads = Counter(card.account.link for card in found)
    steps = [
        Step("Connect an account", "/accounts/new", bool(found)),
        Step("See its link up", "/accounts", bool(reads[Account.Link.UP])),
        Step("Contracts are imported from its server", "/chain", Instrument.objects.exists()),
        Step("The feed is live", "/chain", feed_status(clock.now()).state == "live"),
        Step("Write a strategy", "/strategies/new", Strategy.objects.exists()),
        Step("Preview it and start it on paper", "/strategies", False),
    ]
    return [step if is_route(step.url) else Step(step.text, "", step.is_done) for step in steps]


def live_values() -> dict[str, Any]:
    """What open pages patch: the header's and the cards' numbers."""
    today = day.today()
    accounts = list(Account.objects.filter(archived_at=None).values_list("pk", "link", "mode"))
    up = sum(link == Account.Link.UP for _, link, _ in accounts)
    shown, *others = day.modes_of(today, {mode for *_, mode in accounts})
    values: dict[str, Any] = {
        "frame:pnl_today": _text(today.made(shown)),
        "frame:links": f"{up}/{len(accounts)}",
        "frame:alarms": ringing().count(),
    }
    values |= {f"account:{pk}:pnl_today": _text(today.made(mode, {pk})) for pk, _, mode in accounts}
    if others:
        values["frame:pnl_paper"] = _text(today.made(day.PAPER))
    return values


def _text(pnl: DayPnl) -> str | None:
    return None if pnl.total is None else f"{pnl.total:.2f}"
