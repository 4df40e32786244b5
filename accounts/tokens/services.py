"""Issuing and revoking tokens."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import models, transaction
from django.db.models import Q

from accounts.models import Account, User
from accounts.tokens.models import ApiToken
from algomirror.kernel import clock
from algomirror.kernel.errors import Conflict, Refused
from algomirror.ops import journal

LONGEST_DAYS = 365
TOKENS_A_PERSON = 50
USED_EVERY = timedelta(minutes=1)

Scope = ApiToken.Scope
SCOPES_OF_ROLE: dict[str, frozenset[str]] = {
    User.Role.OWNER: frozenset(Scope.values),
    User.Role.TRADER: frozenset({Scope.READ, Scope.TRADE, Scope.EXIT}),
    User.Role.RISK: frozenset({Scope.READ, Scope.EXIT}),
    User.Role.VIEWER: frozenset({Scope.READ}),
}


@dataclass(frozen=True, slots=True)
class Issued:
    """`secret` is what the program sends; it exists only here."""

    token: ApiToken
    secret: str = field(repr=False)


def digest_of(secret: str) -> str:
    """A plain hash: 256 random bits cannot be guessed, and the secret key may be changed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def issue(user: User, *, name: str, scopes: Sequence[str], account_ids: Sequence[int] = (), days: int | None = 90) -> Issued:
    """A new token. Refused for scopes beyond the person's role; `account_ids` empty is all accounts."""
    wanted = sorted(set(scopes))
    allowed = SCOPES_OF_ROLE.get(user.role, frozenset())
    if not wanted or not set(wanted) <= allowed:
        raise Refused("The token was not made.", fields={"scopes": "choose scopes that your role has"})
    if days is not None and not 1 <= days <= LONGEST_DAYS:
        raise Refused("The token was not made.", fields={"days": f"1 to {LONGEST_DAYS} days"})
    if not name.strip() or len(name) > 60:
        raise Refused("The token was not made.", fields={"name": "1 to 60 letters"})
    accounts = list(Account.objects.filter(pk__in=list(account_ids)))
    if len(accounts) != len(set(account_ids)):
        raise Refused("The token was not made.", fields={"accounts": "an account is unknown"})
    if live(user).count() >= TOKENS_A_PERSON:
        raise Refused(f"You have {TOKENS_A_PERSON} tokens; revoke one first.")
    prefix = secrets.token_hex(4)
    secret = f"am_{prefix}_{secrets.token_urlsafe(32)}"
    now = clock.now()
    with transaction.atomic():
        token = ApiToken.objects.create(
            user=user,
            name=name.strip(),
            prefix=prefix,
            digest=digest_of(secret),
            scopes=wanted,
            is_limited=bool(accounts),
            created_at=now,
            expires_at=None if days is None else now + timedelta(days=days),
        )
        token.accounts.set(accounts)
        journal.record(
            "token.issued",
            actor=f"user:{user.username}",
            subject=f"token:{prefix}",
            why=name.strip(),
            scopes=wanted,
            accounts=[a.pk for a in accounts],
            days=days,
        )
    return Issued(token, secret)


def change(
    token: ApiToken,
    *,
    by: User,
    name: str | None = None,
    scopes: Sequence[str] | None = None,
    account_ids: Sequence[int] | None = None,
) -> ApiToken:
    """Another name, or less: a live token is narrowed and never widened, so nobody who holds it gains by a mistake."""
    if token.user_id != by.pk:
        raise Refused("There is no such token of yours.")
    name = token.name if name is None else name.strip()
    if not name or len(name) > 60:
        raise Refused("The token was not changed.", fields={"name": "1 to 60 letters"})
    wanted = sorted(set(token.scopes if scopes is None else scopes))
    if not wanted or not set(wanted) <= set(token.scopes):
        raise Refused("The token was not changed.", fields={"scopes": "only scopes that it has; make another for more"})
    accounts = None if account_ids is None else _narrower(token, account_ids)
    with transaction.atomic():
        row = live(by).filter(pk=token.pk)
        if not row.update(name=name, scopes=wanted, is_limited=token.is_limited or accounts is not None):
            raise Conflict("It was revoked or has expired.")
        if accounts is not None:
            token.accounts.set(accounts)
        journal.record(
            "token.changed",
            actor=f"user:{by.username}",
            subject=f"token:{token.prefix}",
            why=name,
            scopes=wanted,
            accounts=None if accounts is None else [a.pk for a in accounts],
        )
    token.refresh_from_db()
    return token


def _narrower(token: ApiToken, account_ids: Sequence[int]) -> list[Account]:
    accounts = list(Account.objects.filter(pk__in=list(account_ids)))
    mine = set(token.accounts.values_list("pk", flat=True)) if token.is_limited else None
    if not accounts or len(accounts) != len(set(account_ids)) or (mine is not None and not {a.pk for a in accounts} <= mine):
        raise Refused("The token was not changed.", fields={"accounts": "at least one, and only accounts that it has"})
    return accounts


def revoke(token_id: int, *, by: User) -> bool:
    """At once and for ever. The owner may revoke anybody's. False when it already was."""
    token = ApiToken.objects.filter(pk=token_id).first()
    if token is None or (token.user_id != by.pk and not by.is_owner):
        raise Refused("There is no such token of yours.")
    with transaction.atomic():
        done = ApiToken.objects.filter(pk=token_id, revoked_at=None).update(revoked_at=clock.now())
        if done:
            journal.record("token.revoked", actor=f"user:{by.username}", subject=f"token:{token.prefix}", why=token.name)
    return bool(done)


def live(user: User) -> models.QuerySet[ApiToken]:
    return ApiToken.objects.filter(Q(expires_at=None) | Q(expires_at__gt=clock.now()), user=user, revoked_at=None)


def recognise(secret: str) -> ApiToken | None:
    """The live token behind a secret, of a person who is still active."""
    now = clock.now()
    usable = Q(expires_at=None) | Q(expires_at__gt=now)
    token = (
        ApiToken.objects.select_related("user")
        .filter(usable, digest=digest_of(secret), revoked_at=None, user__is_active=True)
        .first()
    )
    if token is not None:
        rarely = Q(last_used_at=None) | Q(last_used_at__lt=now - USED_EVERY)
        ApiToken.objects.filter(rarely, pk=token.pk).update(last_used_at=now)
    return token
