"""Daily limits of groups: what the accounts of one may lose or make together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Model

from accounts.models import Account
from algomirror.kernel import clock
from algomirror.kernel.errors import Conflict, Refused
from algomirror.ops import hooks, journal, push
from risk.domain.ceilings import Ceiling
from risk.models import GroupLimits

NAMES = ("daily_loss", "daily_profit")


@dataclass(frozen=True, slots=True)
class Limited:
    """A group that has limits, with its accounts as they are now: names by id."""

    pk: int
    name: str
    accounts: Mapping[int, str]
    ceiling: Ceiling

    def scope_key(self, account_id: int) -> str:
        return f"group:{self.pk}:account:{account_id}"


def all_limits() -> list[Limited]:
    """Of every group that has a limit. One query while none has."""
    rows = [row for row in GroupLimits.objects.order_by("group_id") if row.is_on]
    if not rows:
        return []
    names: dict[int, str] = dict(hooks.call("groups"))
    return [
        Limited(row.group_id, names[row.group_id], accounts_of(row.group_id) or {}, Ceiling(row.daily_loss, row.daily_profit))
        for row in rows
        if row.group_id in names
    ]


def accounts_of(group_id: int) -> dict[int, str] | None:
    """Names by id; None where there is no such group, or none that this person may see whole."""
    members: list[int] | None = hooks.call("group_accounts", group_id)
    return None if members is None else dict(Account.objects.filter(pk__in=members).order_by("pk").values_list("pk", "name"))


def limits_of(group_id: int) -> GroupLimits | None:
    return GroupLimits.objects.filter(group_id=group_id).first()


def set_limits(group_id: int, values: Mapping[str, object], *, by: str) -> bool:
    """Write a group's limits, journaled with old and new; False when nothing changed. Refused for an unknown group."""
    if accounts_of(group_id) is None:
        raise Refused("The limits were not set.", fields={"group": "no such group"})
    return write(GroupLimits, {"group_id": group_id}, NAMES, values, by=by, subject=f"group:{group_id}")


def write(
    model: type[Model], of: Mapping[str, Any], names: Iterable[str], values: Mapping[str, object], *, by: str, **journaled: Any
) -> bool:
    """The row of limits that is known by `of`, written and journaled with old and new; False when nothing changed.

    Conflict when somebody else wrote the first at the same moment.
    """
    wanted = {name: values.get(name) for name in names}
    with transaction.atomic():
        row = model._default_manager.filter(**of).first()
        before = {name: None if row is None else getattr(row, name) for name in wanted}
        if before == wanted:
            return False
        fields = {**wanted, "changed_at": clock.now(), "changed_by": by[:80]}
        if row is None:
            _first(model, of, fields)
        else:
            model._default_manager.filter(pk=row.pk).update(**fields)
        moved: dict[str, Any] = {n: {"from": before[n], "to": wanted[n]} for n in wanted if before[n] != wanted[n]}
        journal.record("risk.limits", actor=by, **journaled, **moved)
        push.push("risk", "changed")
    return True


def _first(model: type[Model], of: Mapping[str, Any], fields: Mapping[str, Any]) -> None:
    try:
        with transaction.atomic():
            model._default_manager.create(**of, **fields)
    except IntegrityError as error:
        if not model._default_manager.filter(**of).exists():
            raise
        raise Conflict("Somebody else set these limits at the same moment. Look at them again.") from error


def refuse_while_limited(group_id: int, *fields: str) -> None:
    """A protection does not end because somebody tidies up: Refused, at these fields, while the group has a limit."""
    row = limits_of(group_id)
    if fields and row is not None and row.is_on:
        said = "The group has a daily limit. Take it off first (Risk, Limits of accounts)."
        raise Refused(said, fields=dict.fromkeys(fields, said))
