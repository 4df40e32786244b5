"""The margin table from a file: a line for each underlying, kind and sort of day."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from django.db import transaction

from algomirror.kernel.money import parse_decimal
from algomirror.ops import imports
from algomirror.ops.imports import Change, Line
from marketdata.models import Underlying
from risk.models import MarginRequirement
from risk.services import margins

COLUMNS = ("underlying", "kind", "expiry_day", "rupees")
Figure = tuple[str, str, bool, Decimal]


def figures(lines: Sequence[Line]) -> list[Figure]:
    """Refused with every wrong line named."""
    known = set(Underlying.objects.values_list("symbol", flat=True))
    found: list[Figure] = []
    faults: dict[int, dict[str, str]] = {}
    for number, line in enumerate(lines):
        name, kind, rupees = line["underlying"].upper(), line["kind"].upper().replace(" ", "_"), parse_decimal(line["rupees"])
        wrong = {
            **({} if name in known else {"underlying": f"{name[:20] or 'empty'} is unknown"}),
            **({} if kind in MarginRequirement.Kind.values else {"kind": f"one of {', '.join(MarginRequirement.Kind.values)}"}),
        }
        if rupees is None or not 1 <= rupees <= 99_999_999 or rupees != rupees.quantize(Decimal("0.01")):
            wrong["rupees"] = "an amount, 1 to 9,99,99,999"
        key = (name, kind, imports.is_yes(line["expiry_day"]))
        if key in {one[:3] for one in found}:
            wrong["underlying"] = "the same figure stands on a line before"
        if wrong or rupees is None:
            faults[number] = wrong
        else:
            found.append((*key, rupees))
    imports.faults(faults)
    return found


def compare(lines: Sequence[Line]) -> list[Change]:
    ours = margins.table()
    return [_change(figure, ours.get(figure[:3])) for figure in figures(lines)]


def _change(figure: Figure, before: Decimal | None) -> Change:
    underlying, kind, is_expiry, rupees = figure
    key = f"{underlying} {MarginRequirement.Kind(kind).label.lower()}, {'expiry day' if is_expiry else 'other days'}"
    return Change(key, "" if before is None else f"{before:.2f}", f"{rupees:.2f}")


def save(lines: Sequence[Line], by: str) -> int:
    """All or nothing, each figure journaled; how many differed."""
    ours = margins.table()
    new = [figure for figure in figures(lines) if ours.get(figure[:3]) != figure[3]]
    with transaction.atomic():
        for underlying, kind, is_expiry, rupees in new:
            margins.set_figure(underlying, kind, is_expiry, rupees, by=by)
    return len(new)
