"""Contract terms from a file, as an exchange's notice lists them: one line for each underlying and first expiry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from algomirror.ops import imports
from algomirror.ops.imports import Change, Line
from marketdata.forms_instruments import TermsForm
from marketdata.models import ContractSpec, Underlying
from marketdata.reference.edit import edited, facts

COLUMNS = ("underlying", "expiring_from", "expiring_to", "lot_units", "freeze_units", "tick", "source", "confirmed")


def _forms(lines: Sequence[Line]) -> list[TermsForm]:
    """One judged form for each line; Refused with every wrong line named."""
    underlyings = {row.symbol: row.pk for row in Underlying.objects.all()}
    specs = {(spec.underlying.symbol, spec.expiring_from.isoformat()): spec for spec in _specs()}
    forms: list[TermsForm] = []
    faults: dict[int, dict[str, str]] = {}
    seen: set[tuple[str, str]] = set()
    for number, line in enumerate(lines):
        name, start = line["underlying"].upper(), imports.day(line["expiring_from"])
        typed: dict[str, Any] = {**line, "expiring_from": start, "expiring_to": imports.day(line["expiring_to"])}
        typed |= {"underlying": underlyings.get(name, ""), "confirmed": imports.is_yes(line["confirmed"])}
        form = TermsForm(typed, instance=specs.get((name, start)))
        wrong = {field: " ".join(str(e) for e in errors) for field, errors in form.errors.items()}
        if (name, start) in seen:
            wrong["underlying"] = "the same terms stand on a line before"
        seen.add((name, start))
        if wrong:
            faults[number] = wrong
        forms.append(form)
    imports.faults(faults)
    return forms


def _specs() -> list[ContractSpec]:
    return list(ContractSpec.objects.select_related("underlying"))


def _said(spec: ContractSpec) -> str:
    until = "" if spec.expiring_to is None else f" to {spec.expiring_to}"
    sure = "" if spec.confirmed else ", not confirmed"
    return f"lot {spec.lot_units}, freeze {spec.freeze_units}, tick {spec.tick:.2f}{until} ({spec.source}{sure})"


def compare(lines: Sequence[Line]) -> list[Change]:
    before = {spec.pk: _said(spec) for spec in _specs()}
    return [
        Change(
            f"{form.instance.underlying} from {form.instance.expiring_from}",
            before.get(form.instance.pk, ""),
            _said(form.instance),
        )
        for form in _forms(lines)
    ]


def save(lines: Sequence[Line], by: str) -> int:
    """All or nothing, each row journaled with what it was; how many differed."""
    kept = {spec.pk: spec for spec in _specs()}
    saved = 0
    with transaction.atomic():
        for form in _forms(lines):
            before = kept.get(form.instance.pk)
            if before is not None and _said(before) == _said(form.instance):
                continue
            edited(form.save(), actor=by, before=None if before is None else facts(before))
            saved += 1
    return saved
