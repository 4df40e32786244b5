from __future__ import annotations

from django import template

from marketdata.chain import ChainView, Shown

register = template.Library()


@register.filter
def computed_of(view: ChainView, key: str) -> Shown:
    return view.computed.get(key, Shown())
