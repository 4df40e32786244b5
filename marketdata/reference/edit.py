"""What follows an edit of reference data by a person: the journal, the calendar, the freeze of listed contracts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from typing import Any

from django.db import transaction
from django.db.models import Model
from django.forms.models import model_to_dict

from algomirror.kernel import clock
from algomirror.ops import journal
from marketdata import calendar, terms
from marketdata.models import ContractSpec, FreezeLimit


def facts(row: Model) -> dict[str, Any]:
    """The row's fields as the journal can keep them."""
    return {name: value.isoformat() if isinstance(value, time) else value for name, value in model_to_dict(row).items()}


def edited(row: Model, *, actor: str, before: Mapping[str, Any] | None, deleted: bool = False) -> None:
    """Journal an edit in its own transaction and make it count at once."""
    after = {} if deleted else facts(row)
    old = dict(before or {})
    changed = {name for name in {*old, *after} if old.get(name) != after.get(name)}
    journal.record(
        "reference.deleted" if deleted else "reference.edited" if before else "reference.added",
        actor=actor,
        subject=f"{row._meta.model_name}:{row.pk}",
        before={name: old.get(name) for name in changed if before},
        after={name: after.get(name) for name in changed if after},
    )
    if isinstance(row, (ContractSpec, FreezeLimit)):
        # Contract lists carry no freeze quantity, so the listed contracts hold that of their terms. A row that is
        # being deleted still counts here; the next list takes it away.
        terms.apply_freezes(row.underlying, clock.today())
    calendar.forget()
    transaction.on_commit(calendar.forget)
