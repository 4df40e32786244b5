"""The first user. One owner per installation; the constraint decides, not the check before it."""

from __future__ import annotations

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from accounts.models import User
from algomirror.kernel.errors import Conflict, Refused
from algomirror.ops import journal

CLOSED = "Registration is closed."


def is_registration_open() -> bool:
    return not User.objects.exists()


def register_owner(*, username: str, email: str, password: str) -> User:
    """Create the owner. Raises Refused for bad input and Conflict when somebody else was first."""
    if not is_registration_open():
        raise Conflict(CLOSED)
    user = User(username=username.strip(), email=email.strip().lower(), role=User.Role.OWNER, is_staff=True, is_superuser=True)
    check_person(user, password)
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
            journal.record("user.registered", actor=f"user:{user.username}", subject=f"user:{user.pk}", role=user.role)
    except IntegrityError:
        raise Conflict(CLOSED) from None
    return user


def check_person(user: User, password: str, *, field: str = "password") -> None:
    """Names, address and the password policy, as Refused with the form's field names."""
    wrong: dict[str, str] = {}
    try:
        user.clean_fields(exclude=["password"])
    except ValidationError as error:
        wrong |= {name: " ".join(texts) for name, texts in error.message_dict.items()}
    try:
        validate_password(password, user)
    except ValidationError as error:
        wrong[field] = " ".join(error.messages)
    if user.username and user.username.lower() in password.lower():
        wrong[field] = "The password must not contain the username."
    if wrong:
        raise Refused("Nothing was saved.", fields=wrong)
