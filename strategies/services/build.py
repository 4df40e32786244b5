"""Definitions: saved as versions, copied, archived, never deleted. Nothing here touches a run."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import Max

from accounts.models import Account, User
from algomirror.kernel import clock
from algomirror.kernel.errors import Conflict, Refused
from algomirror.ops import journal
from marketdata.models import Underlying
from risk.domain.limits import LimitTerms
from strategies.domain.drafts import Draft, faults
from strategies.domain.legs import LegSpec
from strategies.models import Leg, Strategy, Version


def save_strategy(owner: User, draft: Draft, *, strategy: Strategy | None = None, base: int | None = None) -> Version:
    """A new strategy, or the next version of one. `base` is the version number the form was filled from: a newer one
    since then is a Conflict. Refused with fields when anything is wrong; nothing is half-saved."""
    found = faults(draft)
    underlyings = {row.symbol: row for row in Underlying.objects.filter(enabled=True)}
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
            return _write(owner, draft, strategy, base, underlyings, accounts)
    except IntegrityError as error:
        taken = Strategy.objects.filter(owner=strategy.owner if strategy else owner, name=draft.name.strip())
        if taken.exclude(pk=strategy.pk if strategy else 0).exists():
            raise Refused("The strategy was not saved.", fields={"name": "this name is taken"}) from error
        raise Conflict("Somebody saved this strategy at the same moment; load it again.") from error


def _write(
    owner: User,
    draft: Draft,
    strategy: Strategy | None,
    base: int | None,
    underlyings: dict[str, Underlying],
    accounts: list[Account],
) -> Version:
    if strategy is None:
        strategy = Strategy.objects.create(owner=owner, name=draft.name.strip(), description=draft.description)
    elif strategy.archived_at is not None:
        raise Refused("An archived strategy is not edited; copy it.")
    else:
        Strategy.objects.filter(pk=strategy.pk).update(name=draft.name.strip(), description=draft.description)
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
        hedge_wait_s=draft.hedge_wait_s,
    )
    version.accounts.set(accounts)
    Leg.objects.bulk_create(_leg_row(version, leg, underlyings[leg.underlying]) for leg in draft.legs)
    journal.record(
        "strategy.saved",
        actor=f"user:{owner.username}",
        subject=f"strategy:{strategy.pk}",
        why=draft.name,
        version=version.number,
    )
    return version


def _leg_row(version: Version, leg: LegSpec, underlying: Underlying) -> Leg:
    return Leg(
        version=version,
        number=leg.number,
        underlying=underlying,
        kind=leg.kind,
        slot=leg.slot,
        action=leg.action,
        strike_mode=leg.strike_mode,
        strike_offset=leg.strike_offset,
        lots=leg.lots,
        hedges=list(leg.hedges),
    )


def specs(version: Version) -> list[LegSpec]:
    """The legs of a saved version as the domain sees them."""
    return [
        LegSpec(
            number=leg.number,
            underlying=leg.underlying.symbol,
            kind="CE" if leg.kind == Leg.Kind.CALL else "PE",
            slot=leg.slot,
            action="BUY" if leg.action == "BUY" else "SELL",
            strike_mode="ATM" if leg.strike_mode == "ATM" else "ITM" if leg.strike_mode == "ITM" else "OTM",
            strike_offset=leg.strike_offset,
            lots=leg.lots,
            hedges=tuple(leg.hedges),
        )
        for leg in version.legs.select_related("underlying").order_by("number")
    ]


def limits(version: Version) -> LimitTerms:
    return LimitTerms(
        max_loss=version.max_loss,
        max_profit=version.max_profit,
        scope="BOOK" if version.limit_scope == "BOOK" else "RUN",
        max_loss_action="ALERT" if version.max_loss_action == "ALERT" else "EXIT",
        max_profit_action="ALERT" if version.max_profit_action == "ALERT" else "EXIT",
        blind_policy="FLATTEN" if version.blind_policy == "FLATTEN" else "HOLD",
    )


def draft_of(version: Version) -> Draft:
    return Draft(
        name=version.strategy.name,
        description=version.strategy.description,
        product="MIS" if version.product == "MIS" else "NRML",
        account_ids=tuple(version.accounts.order_by("id").values_list("id", flat=True)),
        legs=tuple(specs(version)),
        limits=limits(version),
        hedge_wait_s=version.hedge_wait_s,
    )


def copy(strategy: Strategy, *, owner: User) -> Version:
    """The newest version under a new name, with a history of its own; archived accounts are left out."""
    version = strategy.current
    if version is None:
        raise Refused("There is nothing to copy yet.")
    draft = draft_of(version)
    active = set(Account.objects.filter(pk__in=draft.account_ids, archived_at=None).values_list("pk", flat=True))
    names = set(Strategy.objects.filter(owner=owner).values_list("name", flat=True))
    candidates = (f"{strategy.name[:68]} copy{'' if n == 1 else f' {n}'}" for n in range(1, 1000))
    name = next(candidate for candidate in candidates if candidate not in names)
    fresh = Draft(
        name=name,
        product=draft.product,
        account_ids=tuple(pk for pk in draft.account_ids if pk in active),
        legs=draft.legs,
        limits=draft.limits,
        description=draft.description,
        hedge_wait_s=draft.hedge_wait_s,
    )
    return save_strategy(owner, fresh)


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
