"""Definitions: saved as versions, copied, archived, never deleted. Nothing here touches a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import Max

from accounts.models import Account, User
from algomirror.kernel import clock
from algomirror.kernel.errors import Conflict, Refused
from algomirror.ops import journal
from marketdata.models import Instrument, Underlying
from risk.domain.limits import LimitTerms
from risk.domain.terms import row_of, terms_of
from risk.models import TradeGrade
from strategies.domain.drafts import Draft, ScheduleTerms, SizingTerms, dated_faults, faults, gap_faults, tick_faults
from strategies.domain.legs import LegSpec
from strategies.models import Leg, Schedule, Strategy, StrategyAccount, Version
from strategies.services.legrows import leg_row, spec_of


def save_strategy(
    owner: User, draft: Draft, *, strategy: Strategy | None = None, base: int | None = None, is_template: bool = False
) -> Version:
    """A new strategy, or the next version of one. `base` is the version number the form was filled from: a newer one
    since then is a Conflict. Refused with fields when anything is wrong; nothing is half-saved."""
    is_template = is_template or (strategy is not None and strategy.is_template)
    found = faults(draft, is_template=is_template)
    underlyings = {row.symbol: row for row in Underlying.objects.filter(enabled=True)}
    found.update(dated_faults(draft.legs, clock.today(), {name: row.strike_step for name, row in underlyings.items()}))
    found.update(tick_faults(draft.legs, _ticks(draft.legs)))
    found.update(gap_faults(draft.legs, {name: row.derivative_exchange for name, row in underlyings.items()}))
    grade = TradeGrade.objects.filter(name=draft.sizing.grade).first() if draft.sizing.mode == "GRADE" else None
    if draft.sizing.mode == "GRADE" and grade is None:
        found["grade"] = "there is no such grade"
    for row, leg in enumerate(draft.legs):
        if leg.underlying not in underlyings:
            found[f"legs-{row}-underlying"] = "not an enabled underlying"
    accounts = list(Account.objects.filter(pk__in=draft.account_ids, archived_at=None))
    if len(accounts) != len(set(draft.account_ids)):
        found["accounts"] = "an account is unknown or archived"
    if found:
        raise Refused("The strategy was not saved.", fields=found)
    try:
        with transaction.atomic():
            strategy = _strategy_row(owner, draft, strategy, is_template=is_template)
            return _write(owner, draft, strategy, base, grade, underlyings, accounts)
    except IntegrityError as error:
        taken = Strategy.objects.filter(owner=strategy.owner if strategy else owner, name=draft.name.strip())
        if taken.exclude(pk=strategy.pk if strategy else 0).exists():
            raise Refused("The strategy was not saved.", fields={"name": "this name is taken"}) from error
        raise Conflict("Somebody saved this strategy at the same moment; load it again.") from error


def _strategy_row(owner: User, draft: Draft, strategy: Strategy | None, *, is_template: bool) -> Strategy:
    words = {"name": draft.name.strip(), "description": draft.description, "tags": [tag.strip() for tag in draft.tags]}
    if strategy is None:
        return Strategy.objects.create(owner=owner, is_template=is_template, **words)
    if strategy.archived_at is not None:
        raise Refused("An archived strategy is not edited; copy it.")
    Strategy.objects.filter(pk=strategy.pk).update(**words)
    return strategy


def _write(
    owner: User,
    draft: Draft,
    strategy: Strategy,
    base: int | None,
    grade: TradeGrade | None,
    underlyings: dict[str, Underlying],
    accounts: list[Account],
) -> Version:
    newest = strategy.versions.aggregate(newest=Max("number"))["newest"] or 0
    if base is not None and newest != base:
        raise Conflict(f"Version {newest} was saved meanwhile; you were editing version {base}.")
    limits = draft.limits
    version = Version.objects.create(
        strategy=strategy,
        number=newest + 1,
        product=draft.product,
        max_loss=limits.max_loss,
        max_profit=limits.max_profit,
        limit_scope=limits.scope,
        max_loss_action=limits.max_loss_action,
        max_profit_action=limits.max_profit_action,
        blind_policy=limits.blind_policy,
        risk_terms=row_of(limits.more),
        hedge_wait_s=draft.hedge_wait_s,
        market_condition=draft.condition,
        sizing=draft.sizing.mode,
        grade=grade,
        allocation=draft.sizing.allocation,
        margin_policy=draft.sizing.policy,
        shortfall=draft.sizing.shortfall,
    )
    StrategyAccount.objects.bulk_create(
        StrategyAccount(version=version, account=account, factor=draft.factor(account.pk)) for account in accounts
    )
    Leg.objects.bulk_create(leg_row(version, leg, underlyings[leg.underlying]) for leg in draft.legs)
    if draft.schedule is not None:
        Schedule.objects.create(
            version=version,
            weekdays=sorted(set(draft.schedule.weekdays)),
            entry_time=draft.schedule.entry,
            latest_entry_time=draft.schedule.latest,
            days_to_expiry_min=draft.schedule.days_to_expiry_min,
            days_to_expiry_max=draft.schedule.days_to_expiry_max,
        )
    journal.record(
        "strategy.saved",
        actor=f"user:{owner.username}",
        subject=f"strategy:{strategy.pk}",
        why=draft.name,
        version=version.number,
    )
    return version


def _ticks(legs: Sequence[LegSpec]) -> dict[tuple[str, bool], Decimal]:
    """The tick of the underlyings in which a leg names its own price; the contract's own is looked at when it is planned."""
    names = {leg.underlying for leg in legs if leg.limit_price is not None or leg.trigger_price is not None}
    if not names:
        return {}
    rows = Instrument.objects.filter(underlying__in=names, expiry__gte=clock.today()).exclude(kind=Instrument.Kind.INDEX)
    ticks = rows.values_list("underlying", "kind", "tick").distinct().order_by("-tick")
    return {(name, kind == Instrument.Kind.FUTURE): tick for name, kind, tick in ticks}


def specs(version: Version) -> list[LegSpec]:
    """The legs of a saved version as the domain sees them."""
    return [spec_of(leg) for leg in version.legs.select_related("underlying").order_by("number")]


def sizing(version: Version) -> SizingTerms:
    return SizingTerms(
        mode="GRADE" if version.sizing == "GRADE" else "FIXED_LOTS",
        grade="" if version.grade is None else version.grade.name,
        allocation=version.allocation,  # type: ignore[arg-type]
        policy=version.margin_policy,  # type: ignore[arg-type]
        shortfall=version.shortfall,  # type: ignore[arg-type]
    )


def schedule(version: Version) -> ScheduleTerms | None:
    row = Schedule.objects.filter(version=version).first()
    return None if row is None else schedule_terms(row)


def schedule_terms(row: Schedule) -> ScheduleTerms:
    return ScheduleTerms(
        tuple(row.weekdays), row.entry_time, row.latest_entry_time, row.days_to_expiry_min, row.days_to_expiry_max
    )


def factors(version: Version) -> dict[int, Decimal]:
    return dict(StrategyAccount.objects.filter(version=version).order_by("account_id").values_list("account_id", "factor"))


def limits(version: Version) -> LimitTerms:
    return LimitTerms(
        max_loss=version.max_loss,
        max_profit=version.max_profit,
        scope="BOOK" if version.limit_scope == "BOOK" else "RUN",
        max_loss_action="ALERT" if version.max_loss_action == "ALERT" else "EXIT",
        max_profit_action="ALERT" if version.max_profit_action == "ALERT" else "EXIT",
        blind_policy="FLATTEN" if version.blind_policy == "FLATTEN" else "HOLD",
        more=terms_of(version.risk_terms),
    )


def draft_of(version: Version) -> Draft:
    return Draft(
        name=version.strategy.name,
        description=version.strategy.description,
        product="MIS" if version.product == "MIS" else "NRML",
        account_ids=tuple(factors(version)),
        legs=tuple(specs(version)),
        limits=limits(version),
        hedge_wait_s=version.hedge_wait_s,
        condition=version.market_condition,  # type: ignore[arg-type]
        sizing=sizing(version),
        factors=factors(version),
        schedule=schedule(version),
        tags=tuple(version.strategy.tags),
    )


def copy(strategy: Strategy, *, owner: User, is_template: bool = False) -> Version:
    """The newest version under a new name, with a history of its own; archived accounts are left out.

    A template keeps no accounts and no schedule.
    """
    version = strategy.current
    if version is None:
        raise Refused("There is nothing to copy yet.")
    draft = draft_of(version)
    active = set(Account.objects.filter(pk__in=draft.account_ids, archived_at=None).values_list("pk", flat=True))
    names = set(Strategy.objects.filter(owner=owner).values_list("name", flat=True))
    word = "template" if is_template else "copy"
    candidates = (f"{strategy.name[:64]} {word}{'' if n == 1 else f' {n}'}" for n in range(1, 1000))
    name = next(candidate for candidate in candidates if candidate not in names)
    fresh = replace(draft, name=name, account_ids=tuple(pk for pk in draft.account_ids if pk in active))
    if is_template:
        fresh = replace(fresh, account_ids=(), factors={}, schedule=None)
    return save_strategy(owner, fresh, is_template=is_template)


def archive(strategy: Strategy, *, by: str) -> bool:
    """Out of the lists and out of entries; history and open runs stay. False when it already was."""
    with transaction.atomic():
        done = Strategy.objects.filter(pk=strategy.pk, archived_at=None).update(archived_at=clock.now(), entries_enabled=False)
        if done:
            journal.record("strategy.archived", actor=by, subject=f"strategy:{strategy.pk}", why=strategy.name)
    return bool(done)


def set_entries(strategy: Strategy, *, enabled: bool, by: str) -> bool:
    """Entries only: guards and exits of an open run do not look at this."""
    with transaction.atomic():
        done = Strategy.objects.filter(pk=strategy.pk, archived_at=None, entries_enabled=not enabled).update(
            entries_enabled=enabled
        )
        if done:
            journal.record(
                "strategy.entries",
                actor=by,
                subject=f"strategy:{strategy.pk}",
                why=strategy.name,
                moved=("off", "on") if enabled else ("on", "off"),
            )
    return bool(done)
