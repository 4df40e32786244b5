"""People with a second factor, and what their authenticator shows."""

from __future__ import annotations

from django.test import Client

from accounts import totp
from accounts.crypto import unseal
from accounts.models import SecondFactor, User
from accounts.services import second_factor
from algomirror.kernel import clock
from tests.accounts.cast import PASSWORD


def secret_of(user: User) -> str:
    return unseal(SecondFactor.objects.get(user=user).sealed_secret)


def shown(user: User, *, steps_off: int = 0) -> str:
    """The six digits at this moment."""
    return totp.code_at(secret_of(user), totp.step_of(clock.now()) + steps_off)


def enrol(user: User) -> list[str]:
    """Recovery codes. The code of this very moment is used up by it."""
    second_factor.begin(user)
    return second_factor.confirm(user, shown(user))


def sign_in(client: Client, user: User, *, address: str = "10.0.0.1", **typed: str) -> str:
    """Where the password leads."""
    form = {"username": user.username, "password": PASSWORD} | typed
    return client.post("/login", form, REMOTE_ADDR=address).headers.get("Location", "")
