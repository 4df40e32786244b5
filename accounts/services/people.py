"""Inviting people, and what the owner may change about them. There is one owner, and nobody becomes one here."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction

from accounts.models import Account, Invite, User
from accounts.services import sessions
from accounts.services.owner import check_person
from algomirror.kernel import clock
from algomirror.kernel.errors import Conflict, Refused
from algomirror.ops import journal

LIFE = timedelta(hours=24)
GONE = "This invitation was used, withdrawn or is older than a day. Ask the owner for a new link."


def invite(owner: User, role: str) -> str:
    """The token of a new invitation. It exists in the link only; we keep its hash."""
    _only_owner(owner)
    if role not in Invite.Role.values:
        raise Refused("Nobody was invited.", fields={"role": "Choose trader, risk or viewer."})
    token, now = secrets.token_urlsafe(32), clock.now()
    with transaction.atomic():
        made = Invite.objects.create(token_hash=_hash(token), role=role, created_by=owner, created_at=now, expires_at=now + LIFE)
        _say("user.invited", owner, f"invite:{made.pk}", role=role)
    return token


def withdraw(owner: User, invite_id: int) -> None:
    _only_owner(owner)
    with transaction.atomic():
        waiting = Invite.objects.filter(pk=invite_id, used_at=None, withdrawn_at=None)
        if not waiting.update(withdrawn_at=clock.now()):
            raise Conflict("It was used or withdrawn before.")
        _say("user.invite_withdrawn", owner, f"invite:{invite_id}")


def open_invite(token: str) -> Invite | None:
    """The invitation this link belongs to, if it still opens."""
    return Invite.objects.filter(token_hash=_hash(token), used_at=None, withdrawn_at=None, expires_at__gt=clock.now()).first()


def accept(token: str, *, username: str, email: str, password: str) -> User:
    """Make the person and use the invitation up, both or neither. Raises Refused, Conflict when the link is spent."""
    found = open_invite(token)
    if found is None:
        raise Conflict(GONE)
    user = User(username=username.strip(), email=email.strip().lower(), role=found.role)
    check_person(user, password)
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
            claimed = Invite.objects.filter(pk=found.pk, used_at=None, withdrawn_at=None, expires_at__gt=clock.now())
            if not claimed.update(used_at=clock.now(), used_by=user):
                raise Conflict(GONE)
            _say("user.joined", user, f"user:{user.username}", role=user.role, invite=found.pk)
    except IntegrityError:
        raise Refused("Nobody was added.", fields={"username": "This name or e-mail address is taken."}) from None
    return user


def change_role(owner: User, user_id: int, role: str) -> None:
    _only_owner(owner)
    user = _other(owner, user_id)
    if role not in Invite.Role.values:
        raise Refused("The role was not changed.", fields={"role": "Choose trader, risk or viewer."})
    with transaction.atomic():
        if User.objects.filter(pk=user.pk, role=user.role).exclude(role=role).update(role=role):
            _say("user.role", owner, f"user:{user.username}", moved=(user.role, role))


def assign(owner: User, user_id: int, account_ids: Collection[int] | None) -> None:
    """Which accounts an invited person sees and acts on; None is all, also later ones. Open pages learn it within seconds."""
    _only_owner(owner)
    user = _other(owner, user_id)
    accounts = list(Account.objects.filter(pk__in=account_ids or ()))
    if account_ids is not None and len(accounts) != len(set(account_ids)):
        raise Refused("The accounts were not changed.", fields={"accounts": "an account is unknown"})
    if account_ids is not None and not accounts:
        raise Refused("The accounts were not changed.", fields={"accounts": "choose at least one, or all accounts"})
    with transaction.atomic():
        before = sorted(user.assigned.values_list("pk", flat=True)) if user.is_limited else None
        after = None if account_ids is None else sorted(a.pk for a in accounts)
        User.objects.filter(pk=user.pk).update(is_limited=account_ids is not None)
        user.assigned.set(accounts)
        if before != after:
            _say("user.assigned", owner, f"user:{user.username}", before=before or "all", after=after or "all")


def set_active(owner: User, user_id: int, active: bool) -> None:
    """A disabled person is out at once, on every browser. Their history stays."""
    _only_owner(owner)
    user = _other(owner, user_id)
    with transaction.atomic():
        if User.objects.filter(pk=user.pk, is_active=not active).update(is_active=active):
            _say("user.active", owner, f"user:{user.username}", moved=("off", "on") if active else ("on", "off"))
    if not active:
        sessions.end_all(user, by=owner)


def end_sessions(owner: User, user_id: int) -> int:
    _only_owner(owner)
    return sessions.end_all(_other(owner, user_id), by=owner)


def change_password(user: User, *, present: str, new: str) -> None:
    """The user's own. Every other browser of theirs is signed out by it."""
    if not user.check_password(present):
        raise Refused("The password was not changed.", fields={"present": "This is not the present password."})
    check_person(user, new, field="new")
    with transaction.atomic():
        user.set_password(new)
        user.save(update_fields=["password"])
        _say("user.password", user, f"user:{user.username}")


def _only_owner(actor: User) -> None:
    if not actor.is_owner:
        raise Refused("Only the owner may do this.")


def _other(owner: User, user_id: int) -> User:
    user = User.objects.filter(pk=user_id).exclude(role=User.Role.OWNER).exclude(pk=owner.pk).first()
    if user is None:
        raise Refused("There is no such invited person.")
    return user


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _say(kind: str, actor: User, subject: str, moved: tuple[str, str] | None = None, **numbers: Any) -> None:
    journal.record(kind, actor=f"user:{actor.username}", subject=subject, moved=moved, **numbers)
