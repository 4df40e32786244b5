"""Template cards with their silhouettes, and versions side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from strategies.domain import portable
from strategies.domain.legs import LegSpec
from strategies.domain.payoff import Stroke, silhouette
from strategies.domain.templates import BUILT_IN, shape_of
from strategies.models import Strategy
from strategies.services import library


@dataclass(frozen=True, slots=True)
class Card:
    key: str
    name: str
    text: str
    legs: tuple[str, ...]
    strokes: tuple[Stroke, ...]
    zero: int
    bounds: str
    strategy: Strategy | None = None


def templates_page() -> dict[str, Any]:
    own = [_card(f"own-{row.pk}", row.name, row.description, legs, row) for row, legs in library.own_templates()]
    return {"built_in": [_card(t.slug, t.name, t.text, t.legs) for t in BUILT_IN], "own": own}


def _card(key: str, name: str, text: str, legs: Sequence[LegSpec], strategy: Strategy | None = None) -> Card:
    shape = shape_of(list(legs))
    strokes, zero = silhouette(shape)
    loss = "loss not bounded" if shape.max_loss is None else "loss bounded"
    gain = "gain not bounded" if shape.max_profit is None else "gain bounded"
    return Card(key, name, text, tuple(leg.text for leg in legs), tuple(strokes), zero, f"{gain}, {loss}", strategy)


def versions_page(strategy: Strategy, older: int | None, newer: int | None) -> dict[str, Any]:
    rows = list(strategy.versions.annotate(runs=Count("plans__run")).order_by("-number"))
    if not rows:
        return {"versions": [], "differences": []}
    first, second = library.versions_of(strategy, older, newer)
    newest = rows[0].number
    shown = (older if older is not None else max((newer or newest) - 1, 1), newer or newest)
    return {"versions": rows, "differences": portable.differences(first, second), "shown": shown}
