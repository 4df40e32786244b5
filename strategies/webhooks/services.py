"""Making, changing and rotating webhooks."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import time, timedelta
from typing import Any

from django.db import IntegrityError, models, transaction

from accounts.crypto import seal, unseal
from accounts.models import Account, User
from algomirror.kernel import clock, ids
from algomirror.kernel.errors import Conflict, Refused
from algomirror.ops import journal
from strategies.domain.signals import Act
from strategies.models import Strategy, StrategyAccount
from strategies.webhooks.models import Webhook

OVERLAP = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Wanted:
    name: str
    strategy_id: int
    acts: tuple[str, ...]
    account_ids: tuple[int, ...] = ()
    sources: tuple[str, ...] = ()
    weekdays: tuple[int, ...] = ()
    opens: time | None = None
    closes: time | None = None
    max_starts_a_day: int = 5
    cool_off_s: int = 60
    paper_only: bool = True
    enabled: bool = True

    def columns(self) -> dict[str, Any]:
        return {
            "name": self.name.strip(),
            "strategy_id": self.strategy_id,
            "acts": sorted(self.acts),
            "sources": list(self.sources),
            "weekdays": sorted(self.weekdays),
            "opens": self.opens,
            "closes": self.closes,
            "max_starts_a_day": self.max_starts_a_day,
            "cool_off_s": self.cool_off_s,
            "paper_only": self.paper_only,
            "enabled": self.enabled,
        }


@dataclass(frozen=True, slots=True)
class Made:
    """`secret` exists only here and sealed in the row."""

    hook: Webhook
    secret: str = field(repr=False)


def new_secret() -> str:
    return secrets.token_urlsafe(32)


def as_it_is(hook: Webhook) -> Wanted:
    """What would change nothing; for doors that are told only what shall differ."""
    return Wanted(
        name=hook.name,
        strategy_id=hook.strategy_id,
        acts=tuple(hook.acts),
        account_ids=tuple(hook.accounts.values_list("pk", flat=True)),
        sources=tuple(hook.sources),
        weekdays=tuple(hook.weekdays),
        opens=hook.opens,
        closes=hook.closes,
        max_starts_a_day=hook.max_starts_a_day,
        cool_off_s=hook.cool_off_s,
        paper_only=hook.paper_only,
        enabled=hook.enabled,
    )


def reach(hook: Webhook) -> frozenset[int]:
    """The accounts it may act on: its own choice, or those of its strategy."""
    return frozenset(account.pk for account in hook.accounts.all()) or reach_of_strategy(hook.strategy_id)


def reach_of_strategy(strategy_id: int) -> frozenset[int]:
    rows = StrategyAccount.objects.filter(version__strategy=strategy_id)
    return frozenset(rows.values_list("account_id", flat=True))


def make(owner: User, wanted: Wanted) -> Made:
    _may(owner)
    accounts = _judged(wanted)
    secret = new_secret()
    try:
        with transaction.atomic():
            hook = Webhook.objects.create(
                owner=owner,
                public_id=ids.new_key(),
                sealed_secret=seal(secret),
                created_at=clock.now(),
                **wanted.columns(),
            )
            hook.accounts.set(accounts)
            _say("webhook.made", owner, hook, acts=hook.acts, strategy=wanted.strategy_id)
    except IntegrityError:
        raise Refused("The webhook was not saved.", fields={"name": "this name is taken"}) from None
    return Made(hook, secret)


def change(actor: User, hook: Webhook, wanted: Wanted, *, version: int) -> None:
    """Conflict when somebody changed it since it was shown."""
    _may(actor)
    accounts = _judged(wanted)
    try:
        with transaction.atomic():
            row = Webhook.objects.filter(pk=hook.pk, version=version)
            if not row.update(**wanted.columns(), version=models.F("version") + 1):
                raise Conflict("This webhook was changed meanwhile. Look at it again.")
            hook.accounts.set(accounts)
            _say("webhook.changed", actor, hook, enabled=wanted.enabled, acts=sorted(wanted.acts), paper_only=wanted.paper_only)
    except IntegrityError:
        raise Refused("The webhook was not saved.", fields={"name": "this name is taken"}) from None


def rotate(actor: User, hook: Webhook) -> Made:
    """A new secret; the former one is good for another day, so that senders can be changed one by one."""
    _may(actor)
    secret = new_secret()
    with transaction.atomic():
        done = Webhook.objects.filter(pk=hook.pk, version=hook.version).update(
            sealed_secret=seal(secret),
            sealed_former=hook.sealed_secret,
            former_until=clock.now() + OVERLAP,
            version=models.F("version") + 1,
        )
        if not done:
            raise Conflict("This webhook was changed meanwhile. Look at it again.")
        _say("webhook.rotated", actor, hook)
    return Made(Webhook.objects.get(pk=hook.pk), secret)


def secrets_of(hook: Webhook) -> list[str]:
    found = [unseal(hook.sealed_secret)]
    if hook.sealed_former is not None and hook.former_until is not None and hook.former_until > clock.now():
        found.append(unseal(hook.sealed_former))
    return found


def _may(user: User) -> None:
    if not user.may_trade:
        raise Refused("Only owner and traders make webhooks.")


def _judged(wanted: Wanted) -> list[Account]:
    faults: dict[str, str] = {}
    if not wanted.name.strip() or len(wanted.name) > 60:
        faults["name"] = "1 to 60 letters"
    if not wanted.acts or not set(wanted.acts) <= set(Act.__members__):
        faults["acts"] = "choose at least one act"
    if not Strategy.objects.filter(pk=wanted.strategy_id, archived_at=None).exists():
        faults["strategy"] = "unknown or archived"
    if wanted.opens is not None and wanted.closes is not None and wanted.opens >= wanted.closes:
        faults["closes"] = "later than its beginning"
    accounts = list(Account.objects.filter(pk__in=wanted.account_ids, archived_at=None))
    if len(accounts) != len(set(wanted.account_ids)):
        faults["accounts"] = "an account is unknown or archived"
    if faults:
        raise Refused("The webhook was not saved.", fields=faults)
    return accounts


def _say(kind: str, who: User, hook: Webhook, **numbers: Any) -> None:
    journal.record(kind, actor=f"user:{who.username}", subject=f"webhook:{hook.pk}", why=hook.name, **numbers)
