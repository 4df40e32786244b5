from __future__ import annotations

from datetime import datetime

from django import template

from marketdata.chain import ChainView, Shown

register = template.Library()


@register.filter
def computed_of(view: ChainView, key: str) -> Shown:
    return view.computed.get(key, Shown())


@register.filter
def epoch_ms(at: datetime | None) -> int | None:
    """When a price reached us, as cells that tell their age carry it."""
    return int(at.timestamp() * 1000) if isinstance(at, datetime) else None
