"""What each guard is told at this moment: its row joined with the terms now in force and the calendar."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from algomirror.kernel import clock
from marketdata import calendar, cutoffs
from risk.domain import times
from risk.domain.snapshot import CLOCK, MONEY, OF_A_LEG, ZERO, Policy, Rule
from risk.domain.terms import Line, Lock, RiskTerms, Structure, Trail
from risk.models import Action, GuardState, RunLimits

Exits = Literal["EXIT", "ALERT"]


def policy_of(
    row: GuardState,
    limits: RunLimits,
    terms: RiskTerms,
    structure: Structure,
    started_at: datetime,
    *,
    accounts: Collection[int] = (),
) -> Policy | None:
    """The limit now in force for this guard; None when it was switched off. `accounts`: where the run has its books."""
    rule = Rule(row.rule)
    if rule in MONEY:
        return _money(rule, row, limits, terms)
    if rule in OF_A_LEG:
        return _leg(rule, row, terms)
    if rule in CLOCK:
        return _clock(rule, row, terms, structure, started_at, accounts)
    if rule is Rule.SUPERTREND:
        return None if terms.supertrend is None else Policy(rule, terms=terms.supertrend)
    line: Line | None = {Rule.PREMIUM_STOP: terms.premium_stop, Rule.PREMIUM_TARGET: terms.premium_target}.get(rule)
    if line is not None:
        return Policy(rule, line.value, terms=line)
    level: Decimal | None = {
        Rule.UNDERLYING_BELOW: terms.underlying_below,
        Rule.UNDERLYING_ABOVE: terms.underlying_above,
    }.get(rule)
    return None if level is None else Policy(rule, level)


def _money(rule: Rule, row: GuardState, limits: RunLimits, terms: RiskTerms) -> Policy | None:
    limit: Decimal | None = None
    action: str = Action.EXIT
    asked: Trail | Lock | None = None
    if rule is Rule.MAX_LOSS:
        limit, action = limits.max_loss, limits.max_loss_action
    elif rule is Rule.MAX_PROFIT:
        limit, action = limits.max_profit, limits.max_profit_action
    elif rule is Rule.TRAILING_STOP and terms.trail is not None:
        limit, asked = terms.trail.value, terms.trail
    elif rule is Rule.PROFIT_LOCK and terms.lock is not None:
        limit, asked = terms.lock.reach, terms.lock
    return None if limit is None else Policy(rule, limit, _exits(action), row.book_id, terms=asked)


def _leg(rule: Rule, row: GuardState, terms: RiskTerms) -> Policy | None:
    assert row.leg is not None
    asked = terms.leg(row.leg)
    if rule is Rule.COST_STOP:
        return Policy(rule, ZERO, asked.action, row.book_id, row.leg) if terms.stop_to_cost else None
    line = {Rule.LEG_STOP: asked.stop, Rule.LEG_TARGET: asked.target, Rule.LEG_TRAILING: asked.trail}[rule]
    return None if line is None else Policy(rule, line.value, asked.action, row.book_id, row.leg, line)


def _clock(
    rule: Rule, row: GuardState, terms: RiskTerms, structure: Structure, started_at: datetime, accounts: Collection[int]
) -> Policy | None:
    if not structure.legs:
        return None
    sessions, exchange = calendar.sessions(), structure.exchange
    # A time that was set later than the run began counts from there.
    set_at = row.inputs.get("since")
    after = max(started_at, datetime.fromisoformat(set_at)) if set_at else started_at
    if rule is Rule.EXPIRY:
        day = row.scope_key.partition(":")[2]
        due = None if terms.let_expire else times.expiry_due(sessions, exchange, date.fromisoformat(day))
        return None if terms.let_expire else Policy(rule, due=due, expiry=day)
    if rule is Rule.EXIT_TIME:
        if terms.exit_time is None:
            return None
        return Policy(rule, due=times.exit_due(sessions, exchange, terms.exit_time, after))
    if mis := {leg.key.partition(":")[0] for leg in structure.legs if leg.product == "MIS"}:
        cutoff = cutoffs.earliest(mis, clock.trading_day(started_at), accounts)
        return Policy(rule, due=None if cutoff is None else times.mis_due(terms.square_off, started_at, cutoff.leaves_at))
    if terms.square_off is None:
        return None
    return Policy(rule, due=times.square_off_due(sessions, exchange, terms.square_off, after))


def _exits(action: str) -> Exits:
    return "ALERT" if action == Action.ALERT else "EXIT"
