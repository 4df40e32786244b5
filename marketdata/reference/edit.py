"""What follows an edit of reference data by a person: the journal, the calendar, the freeze of listed contracts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Model
from django.forms.models import model_to_dict

from algomirror.ops import journal
from marketdata import calendar
from marketdata.models import ContractSpec, Instrument


def facts(row: Model) -> dict[str, Any]:
    return model_to_dict(row)


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
    if isinstance(row, ContractSpec) and not deleted:
        _apply_freeze(row)
    calendar.forget()
    transaction.on_commit(calendar.forget)


def _apply_freeze(spec: ContractSpec) -> None:
    """Contract lists carry no freeze quantity, so the listed contracts hold that of their terms."""
    listed = Instrument.objects.filter(
        underlying=spec.underlying.symbol, expiry__gte=spec.expiring_from, kind__in=("CE", "PE", "FUT")
    )
    later = ContractSpec.objects.filter(underlying=spec.underlying, expiring_from__gt=spec.expiring_from)
    if (newer := later.order_by("expiring_from").first()) is not None:
        listed = listed.filter(expiry__lt=newer.expiring_from)
    if spec.expiring_to is not None:
        listed = listed.filter(expiry__lte=spec.expiring_to)
    listed.update(freeze_units=spec.freeze_units)
