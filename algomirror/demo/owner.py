"""The demo's one user. Its password is made here, shown once, and stored as a hash only."""

from __future__ import annotations

import secrets
import string

from django.db import transaction

from accounts.models import User
from accounts.services.owner import register_owner
from algomirror.ops import journal

USERNAME = "demo"
EMAIL = "demo@example.invalid"
# Without letters and digits that look alike.
ALPHABET = "".join(c for c in string.ascii_letters + string.digits if c not in "0O1lI")


def find() -> User | None:
    return User.objects.filter(username=USERNAME).first()


def new_password() -> str:
    """Sixteen random characters in four groups; holds every kind of character that the rules ask for."""
    while True:
        password = "-".join("".join(secrets.choice(ALPHABET) for _ in range(4)) for _ in range(4))
        if any(c.isupper() for c in password) and any(c.islower() for c in password) and any(c.isdigit() for c in password):
            return password


def create() -> str | None:
    """Register the owner and return the password; None when there is one already."""
    if User.objects.filter(role=User.Role.OWNER).exists():
        return None
    password = new_password()
    register_owner(username=USERNAME, email=EMAIL, password=password)
    return password


def reset() -> str | None:
    """Give the owner a new password and end all sessions; None when there is no such user yet."""
    user = find()
    if user is None:
        return None
    password = new_password()
    user.set_password(password)
    with transaction.atomic():
        user.save(update_fields=["password"])
        journal.record("user.password_reset", actor="command:demo", subject=f"user:{user.pk}")
    return password
