"""Making plans: exactly what would be sent, to whom, and who is left out and why. Lives 30 seconds."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.conf import settings

from accounts.models import Account, User
from algomirror.kernel import clock
from algomirror.kernel.errors import Denied, Refused
from algomirror.kernel.ids import new_key
from algomirror.ops import journal, sight
from risk.domain.limits import LimitTerms, amount
from risk.domain.pretrade import Code, Denial, check_account
from risk.domain.terms import row_of, terms_of
from risk.services import gate
from strategies.domain.legs import LegSpec, structure, warnings
from strategies.domain.plans import PlannedLine, digest_of, encode, planned
from strategies.domain.resolve import condition_denials, scaled
from strategies.domain.sizes import Size, encode_size
from strategies.models import Plan, Version
from strategies.services import build, figures, met, protecting, sizing
from strategies.services.resolving import Resolved, resolve
from trading.models import Run


def preview(version: Version, accounts: Sequence[Account], *, user: User, attended: bool = False) -> Plan:
    """A plan of this version for these accounts. Denied when the legs cannot be resolved or nobody may trade.

    Reads prices over REST where the store has none, so it runs outside any transaction.
    """
    sight.require(account.pk for account in accounts)
    with sight.whole():
        return _preview(version, accounts, user, attended)


def _preview(version: Version, accounts: Sequence[Account], user: User, attended: bool) -> Plan:
    strategy = version.strategy
    if strategy.is_template:
        raise Denied(Code.NOT_PERMITTED, f"{strategy.name} is a template: make a strategy of it first.")
    if strategy.archived_at is not None or not strategy.entries_enabled:
        raise Denied(Code.NOT_PERMITTED, f"Entries of {strategy.name} are switched off.")
    if Run.objects.filter(strategy_id=strategy.pk).exclude(state=Run.State.CLOSED).exists():
        raise Denied(Code.RUN_ALREADY_OPEN, f"{strategy.name} has an open run.")
    legs = build.specs(version)
    found = resolve(legs)
    today = clock.today()
    gate.refuse(found.denials or condition_denials(version.market_condition, [c.expiry for c in found.choices], today))
    gate.refuse(protecting.leaving_already(build.limits(version), found.lines, clock.now()))
    mode = one_mode(accounts, attended=attended)
    exchanges = {line.contract.exchange for line in found.lines} if version.product == "MIS" else set()
    kept, skipped = split(accounts, mode, mis=exchanges)
    sizes = _sizes(version, legs, found, kept)
    kept, skipped = fitting(sizes, kept, skipped)
    multipliers = {size.account_id: size.structures for size in sizes}
    terms = {
        "name": f"{strategy.name} v{version.number}",
        "mode": mode,
        "sizing": asdict(build.sizing(version)),
        "sizes": [encode_size(size) for size in sizes],
        "product": version.product,
        "hedge_wait_s": version.hedge_wait_s,
        "limits": limits_row(protecting.checked(build.limits(version), legs, found.lines)),
        "net_premium": str(found.net_premium),
        "warnings": [
            *warnings(legs, has_max_loss=version.max_loss is not None),
            *protecting.cautions(build.limits(version), found.lines),
            *met.already(build.limits(version), found.lines, found.snapshot["spot"]),
            *protecting.mis_cautions(kept, exchanges, is_run=True),
        ],
    }
    ratio = structure(legs)[1]
    lines = [
        planned(
            scaled(line, ratio[line.leg] * multipliers[account.pk]),
            account_id=account.pk,
            account_name=account.name,
            product=version.product,
        )
        for account in kept
        for line in found.lines
    ]
    return store(kind=Plan.Kind.STRATEGY, user=user, version=version, found=found, lines=lines, skipped=skipped, terms=terms)


def _sizes(version: Version, legs: Sequence[LegSpec], found: Resolved, kept: Sequence[Account]) -> list[Size]:
    """What each account takes. Denied when the trader wants all or nothing and somebody cannot."""
    terms = build.sizing(version)
    structures = structure(legs)[0]
    underlyings = {leg.number: leg.underlying for leg in legs}
    what = sizing.structure_of(found.lines, underlyings, structures, version.product)
    sizes = sizing.size(what, kept, structures=structures, terms=terms, factors=build.factors(version))
    figures.keep(what, {size.account_id: (size.structures, size.broker) for size in sizes})
    if terms.shortfall == "REFUSE_ALL":
        gate.refuse(sizing.denials(sizes))
    return sizes


def fitting(
    sizes: Sequence[Size], kept: Sequence[Account], skipped: list[dict[str, Any]]
) -> tuple[list[Account], list[dict[str, Any]]]:
    """Those that take at least one structure; the others are skipped with their reason. Nobody left is Denied."""
    takes = {size.account_id for size in sizes if size.structures > 0}
    if not takes:
        gate.refuse(sizing.denials(sizes))
    short = [
        {"account": size.account_id, "account_name": size.account_name, "code": size.code, "sentence": size.why}
        for size in sizes
        if size.structures == 0
    ]
    return [account for account in kept if account.pk in takes], [*skipped, *short]


def one_mode(accounts: Sequence[Account], *, attended: bool = False) -> str:
    """LIVE or PAPER; the two never share a plan.

    `attended`: somebody will look at the plan before it is sent. Then paper accounts beside live ones are left out and
    shown as skipped; what starts by itself is refused instead.
    """
    if not accounts:
        raise Refused("Choose at least one account.", fields={"accounts": "choose at least one account"})
    modes = {account.mode for account in accounts}
    if len(modes) > 1 and attended:
        return Account.Mode.LIVE.value
    if len(modes) > 1:
        raise Refused("Live and paper accounts cannot share one plan.", fields={"accounts": "live and paper are mixed"})
    return modes.pop()


def split(accounts: Sequence[Account], mode: str, *, mis: Collection[str] = ()) -> tuple[list[Account], list[dict[str, Any]]]:
    """Who may trade now, and who is skipped with a code and a sentence. Nobody left is Denied.

    `mis`: the exchanges on which MIS is entered.
    """
    now = clock.now()
    facts = gate.account_facts(accounts, mode=mode, now=now)
    kept: list[Account] = []
    skipped: list[dict[str, Any]] = []
    reasons: list[Denial] = []
    for account in accounts:
        denials = [*check_account(facts[account.pk], with_books=False), *gate.mis_denials(account, mis, now)]
        if not denials:
            kept.append(account)
            continue
        reasons.extend(denials)
        first = denials[0]
        skipped.append(
            {
                "account": account.pk,
                "account_name": account.name,
                "code": first.code.value,
                "sentence": " ".join(d.sentence for d in denials),
            }
        )
    if not kept:
        gate.refuse(reasons)
    return kept, skipped


def limits_row(limits: LimitTerms) -> dict[str, Any]:
    row: dict[str, Any] = journal.plain({**asdict(limits), "more": row_of(limits.more)})
    return row


def limits_from(row: Mapping[str, Any]) -> LimitTerms:
    return LimitTerms(
        max_loss=amount(row["max_loss"], "max_loss"),
        max_profit=amount(row["max_profit"], "max_profit"),
        scope="BOOK" if row["scope"] == "BOOK" else "RUN",
        max_loss_action="ALERT" if row["max_loss_action"] == "ALERT" else "EXIT",
        max_profit_action="ALERT" if row["max_profit_action"] == "ALERT" else "EXIT",
        blind_policy="FLATTEN" if row["blind_policy"] == "FLATTEN" else "HOLD",
        more=terms_of(row.get("more")),
    )


def store(
    *,
    kind: str,
    user: User,
    version: Version | None,
    found: Resolved,
    lines: Sequence[PlannedLine],
    skipped: list[dict[str, Any]],
    terms: Mapping[str, Any],
) -> Plan:
    """The plan's row. The digest is made once, here, over what the row holds."""
    now = clock.now()
    key = new_key()
    rows = [encode(line) for line in lines]
    content = dict(terms)
    return Plan.objects.create(
        key=key,
        kind=kind,
        owner=user,
        version=version,
        snapshot=found.snapshot,
        lines=rows,
        skipped=skipped,
        terms=content,
        digest=digest_of(
            key=key,
            kind=kind,
            version=None if version is None else version.pk,
            snapshot=found.snapshot,
            lines=rows,
            skipped=skipped,
            terms=content,
        ),
        created_at=now,
        expires_at=now + timedelta(seconds=settings.PLAN_LIFE_S),
    )
