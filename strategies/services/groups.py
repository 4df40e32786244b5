"""Groups of accounts with factors. A saved version keeps its own copy, so changing a group changes no strategy."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from decimal import Decimal

from django.db import IntegrityError, transaction

from accounts.models import Account
from algomirror.kernel.errors import Refused
from algomirror.ops import journal
from risk.services import grouped
from strategies.models import AccountGroup, GroupMember


def accounts_of(group_id: int) -> list[int] | None:
    """Its members; None when there is no such group, or none that this person may see whole."""
    if not AccountGroup.objects.filter(pk=group_id).exists():
        return None
    return _members(group_id)


def listed(within: Collection[int] | None = None) -> list[AccountGroup]:
    """Groups by name with their members read along, in three queries; of `within` those that have all their accounts there."""
    rows = AccountGroup.objects.prefetch_related("members__account")
    return [row for row in rows if within is None or {member.account_id for member in row.members.all()} <= set(within)]


def named() -> list[tuple[int, str]]:
    return list(AccountGroup.objects.values_list("pk", "name"))


def save(name: str, factors: Mapping[int, Decimal], *, by: str, group: AccountGroup | None = None) -> AccountGroup:
    """Factor by account id. Refused with fields when the name is taken, nobody is in it, or an account is unknown.

    Nobody is taken out while the group has a daily limit: without who lost, it would be lifted for the rest.
    """
    name = name.strip()
    if not 1 <= len(name) <= 40:
        raise Refused("The group was not saved.", fields={"name": "1 to 40 letters"})
    if not factors:
        raise Refused("The group was not saved.", fields={"accounts": "choose at least one account"})
    if any(factor <= 0 for factor in factors.values()):
        raise Refused("The group was not saved.", fields={"factors": "factors are above 0"})
    if Account.objects.filter(pk__in=factors, archived_at=None).count() != len(factors):
        raise Refused("The group was not saved.", fields={"accounts": "an account is unknown or archived"})
    try:
        with transaction.atomic():
            if group is not None:
                grouped.refuse_while_limited(group.pk, *(f"factor-{pk}" for pk in _members(group.pk) if pk not in factors))
            row = group or AccountGroup()
            row.name = name
            row.save()
            GroupMember.objects.filter(group=row).delete()
            GroupMember.objects.bulk_create(GroupMember(group=row, account_id=pk, factor=f) for pk, f in sorted(factors.items()))
            journal.record("group.saved", actor=by, subject=f"group:{name}", factors={str(pk): f for pk, f in factors.items()})
    except IntegrityError as error:
        raise Refused("The group was not saved.", fields={"name": "this name is taken"}) from error
    return row


def _members(group_id: int) -> list[int]:
    return list(GroupMember.objects.filter(group_id=group_id).order_by("account_id").values_list("account_id", flat=True))


def delete(group: AccountGroup, *, by: str) -> None:
    """Refused while the group has a daily limit."""
    with transaction.atomic():
        grouped.refuse_while_limited(group.pk, "group")
        journal.record("group.deleted", actor=by, subject=f"group:{group.name}")
        GroupMember.objects.filter(group=group).delete()
        group.delete()
