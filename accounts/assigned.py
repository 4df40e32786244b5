"""The accounts a person was given to see and act on."""

from __future__ import annotations

from accounts.models import User


def of(user: object) -> frozenset[int] | None:
    """Ids; None for all. Asks the database only for a limited person."""
    if not isinstance(user, User) or not user.is_limited:
        return None
    return of_number(user.pk)


def of_number(user_id: int) -> frozenset[int] | None:
    """The same from the rows as they are now."""
    if not User.objects.filter(pk=user_id, is_limited=True).exists():
        return None
    return frozenset(User.assigned.through._default_manager.filter(user_id=user_id).values_list("account_id", flat=True))
