"""Enrolling, asking for and taking away the second factor."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Any

from django.db import transaction

from accounts import totp
from accounts.crypto import seal, unseal
from accounts.models import Account, RecoveryCode, SecondFactor, User
from algomirror.kernel import clock
from algomirror.kernel.errors import Conflict, Refused
from algomirror.ops import journal

CODES = 10
# Without 0, 1, 8, 9 and capitals: nothing looks like anything else.
ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
WRONG = "This code is not right, or it was used before. Codes change every 30 seconds."


def is_enrolled(user: User) -> bool:
    return SecondFactor.objects.filter(user=user).exclude(confirmed_at=None).exists()


def is_missing(user: User) -> bool:
    """Whether this user must enrol before trading: who may trade needs it as soon as one account is live."""
    if not user.may_trade or not Account.objects.filter(mode=Account.Mode.LIVE, archived_at=None).exists():
        return False
    return not is_enrolled(user)


def begin(user: User) -> None:
    """A fresh secret to be shown until it is confirmed. Conflict when one is in force already."""
    secret = seal(totp.new_secret())
    with transaction.atomic():
        waiting = SecondFactor.objects.filter(user=user, confirmed_at=None)
        if waiting.update(sealed_secret=secret, created_at=clock.now(), last_step=0):
            return
        _, made = SecondFactor.objects.get_or_create(user=user, defaults={"sealed_secret": secret, "created_at": clock.now()})
        if not made:
            raise Conflict("A second factor is in force already.")


def waiting_secret(user: User) -> str | None:
    """The secret of an enrolment under way; a confirmed one is never shown again."""
    factor = SecondFactor.objects.filter(user=user, confirmed_at=None).first()
    return None if factor is None else unseal(factor.sealed_secret)


def confirm(user: User, typed: str) -> list[str]:
    """Put the enrolment into force when the app shows the right code; the recovery codes, this once."""
    factor = SecondFactor.objects.filter(user=user, confirmed_at=None).first()
    if factor is None:
        raise Conflict("No enrolment is under way.")
    step = totp.matching_step(unseal(factor.sealed_secret), _digits(typed), clock.now())
    if step is None:
        raise Refused("Not confirmed.", fields={"code": WRONG})
    with transaction.atomic():
        # The secret belongs to the claim: another tab may have begun anew meanwhile.
        row = SecondFactor.objects.filter(pk=factor.pk, confirmed_at=None, sealed_secret=bytes(factor.sealed_secret))
        if not row.update(confirmed_at=clock.now(), last_step=step):
            raise Conflict("The enrolment was begun anew or confirmed in another tab.")
        codes = _replace_codes(factor)
        _say("user.second_factor", user, moved=("off", "on"))
    return codes


def check(user: User, typed: str) -> bool:
    """Whether this code opens now. Each code opens once, also for two requests at the same moment."""
    factor = SecondFactor.objects.filter(user=user).exclude(confirmed_at=None).first()
    if factor is None:
        return False
    step = totp.matching_step(unseal(factor.sealed_secret), _digits(typed), clock.now())
    if step is not None:
        return bool(SecondFactor.objects.filter(pk=factor.pk, last_step__lt=step).update(last_step=step))
    return _use_recovery_code(user, factor, typed)


def renew_codes(user: User, typed: str) -> list[str]:
    """Ten new recovery codes; the old ones open nothing from now on."""
    _asked(user, typed)
    with transaction.atomic():
        codes = _replace_codes(SecondFactor.objects.get(user=user))
        _say("user.recovery_codes", user, renewed=len(codes))
    return codes


def remove(user: User, typed: str) -> None:
    """Taken off by its owner, who can still show it. Refused while it is required."""
    if user.may_trade and Account.objects.filter(mode=Account.Mode.LIVE, archived_at=None).exists():
        raise Refused("It cannot be taken off while an account is live.")
    _asked(user, typed)
    _take_off(user, by=f"user:{user.username}")


def reset(actor: User, user_id: int) -> None:
    """For a lost phone: the owner takes another person's factor off; they enrol again at the next sign-in."""
    if not actor.is_owner:
        raise Refused("Only the owner may do this.")
    user = User.objects.filter(pk=user_id).first()
    if user is None or user.pk == actor.pk:
        raise Refused("Choose another person; your own is under Profile.")
    _take_off(user, by=f"user:{actor.username}")


def reset_from_console(username: str) -> bool:
    """Who may run commands on the server may do this for anybody, the owner included."""
    user = User.objects.filter(username=username).first()
    return user is not None and _take_off(user, by="command:reset_second_factor")


def codes_left(user: User) -> int:
    return RecoveryCode.objects.filter(factor__user=user, used_at=None).count()


def _asked(user: User, typed: str) -> None:
    if not check(user, typed):
        raise Refused("Nothing was changed.", fields={"code": WRONG})


def _take_off(user: User, *, by: str) -> bool:
    with transaction.atomic():
        gone, _ = SecondFactor.objects.filter(user=user).delete()
        if gone:
            journal.record("user.second_factor", actor=by, subject=f"user:{user.username}", moved=("on", "off"))
    return bool(gone)


def _replace_codes(factor: SecondFactor) -> list[str]:
    RecoveryCode.objects.filter(factor=factor).delete()
    codes = ["-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(4)) for _ in range(CODES)]
    RecoveryCode.objects.bulk_create(RecoveryCode(factor=factor, code_hash=_hash(code)) for code in codes)
    return codes


def _use_recovery_code(user: User, factor: SecondFactor, typed: str) -> bool:
    unused = RecoveryCode.objects.filter(factor=factor, code_hash=_hash(typed), used_at=None)
    with transaction.atomic():
        if not unused.update(used_at=clock.now()):
            return False
        _say("user.recovery_code_used", user, left=codes_left(user))
    return True


def _digits(typed: str) -> str:
    return re.sub(r"\s", "", typed)[:12]


def _hash(code: str) -> str:
    plain = re.sub(r"[^a-z2-7]", "", code.lower()[:40])
    return hashlib.sha256(plain.encode()).hexdigest()


def _say(kind: str, user: User, *, moved: tuple[str, str] | None = None, **numbers: Any) -> None:
    journal.record(kind, actor=f"user:{user.username}", subject=f"user:{user.username}", moved=moved, **numbers)
