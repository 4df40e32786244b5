"""Templates: the built-in ones and the trader's own, as drafts to start from."""

from __future__ import annotations

from dataclasses import replace

from algomirror.kernel.errors import Refused
from strategies.domain.drafts import Draft
from strategies.domain.legs import LegSpec
from strategies.domain.templates import built_in
from strategies.models import Strategy
from strategies.services import build


def draft_of_template(name: str) -> Draft | None:
    """A built-in slug, or "own-<id>" of a strategy kept as a template. None for anything else, or nothing."""
    found = built_in(name)
    if found is not None:
        return Draft(found.name, "NRML", (), found.legs)
    prefix, _, number = name.partition("-")
    if prefix != "own" or not number.isdecimal() or len(number) > 18:
        return None
    strategy = Strategy.objects.filter(pk=int(number), is_template=True, archived_at=None).first()
    version = None if strategy is None else strategy.current
    return None if version is None else replace(build.draft_of(version), account_ids=(), factors={})


def own_templates() -> list[tuple[Strategy, list[LegSpec]]]:
    found = Strategy.objects.filter(is_template=True, archived_at=None)
    return [(strategy, build.specs(version)) for strategy in found if (version := strategy.current) is not None]


def versions_of(strategy: Strategy, older: int | None, newer: int | None) -> tuple[Draft, Draft]:
    """Two versions by number; the last two by default. Refused when one does not exist."""
    newest = strategy.current
    if newest is None:
        raise Refused("There is no version yet.")
    second = newer if newer is not None else newest.number
    first = older if older is not None else max(second - 1, 1)
    rows = {version.number: version for version in strategy.versions.filter(number__in=[first, second])}
    if first not in rows or second not in rows:
        raise Refused("There is no such version.", fields={"a": f"1 to {newest.number}"})
    return build.draft_of(rows[first]), build.draft_of(rows[second])
