"""Cells that the socket patches, icons, and the server's time for clocks in the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from algomirror.frame.templatetags import numbers
from algomirror.kernel import clock, ids

register = template.Library()

_TEXT = {
    "money": numbers.rupees,
    "signed-money": numbers.signed_rupees_text,
    "int": numbers.units,
    "percent": numbers.percent,
    "price": numbers.price,
}


@register.simple_tag
def icon(name: str, size: str = "") -> SafeString:
    """A decorative icon of our sprite; the words beside it carry the meaning."""
    return format_html(
        '<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>',
        size,
        static("img/icons.svg"),
        name,
    )


@register.simple_tag
def live(key: str, value: Decimal | int | str | None, as_: str = "money", received_ms: int | None = None) -> SafeString:
    """A value that `values` messages patch: {% live "run:12:pnl" run.pnl "signed-money" %}."""
    signed = as_ == "signed-money"
    css = numbers.money_class(value) if signed else ("unknown" if value is None else "num")
    return format_html(
        '<span class="{}" data-value="{}" data-format="{}"{}>{}</span>',
        css,
        key,
        as_,
        _stamp(received_ms),
        _TEXT[as_](value),
    )


@register.simple_tag
def quote(key: str, field: str, value: Decimal | int | str | None, received_ms: int | None = None) -> SafeString:
    """A quote's field that ticks patch: {% quote "NFO:NIFTY24NOV2626000CE" "l" row.ltp row.received_ms %}."""
    whole = field in {"bq", "aq", "oi", "v"}
    return format_html(
        '<span class="{}" data-quote="{}" data-field="{}"{}>{}</span>',
        "unknown" if value is None else "num",
        key,
        field,
        _stamp(received_ms),
        numbers.units(value) if whole else numbers.price(value),
    )


@register.simple_tag
def quote_change(key: str, last: Decimal | None, change: Decimal | None, change_percent: Decimal | None) -> SafeString:
    """Change since yesterday's close, kept true by ticks: the close travels with the cell."""
    if last is None or change is None or change_percent is None:
        return format_html('<span class="unknown" title="not known">{}</span>', numbers.UNKNOWN)
    return format_html(
        '<span class="{}" data-quote="{}" data-field="cp" data-base="{}" title="{} since the close">{}</span>',
        numbers.money_class(change_percent),
        key,
        last - change,
        numbers.signed_price_text(change),
        numbers.signed_percent_text(change_percent),
    )


def _stamp(received_ms: int | None) -> SafeString:
    if received_ms is None:
        return SafeString("")
    return format_html(' data-age="{}"', received_ms)


@register.simple_tag
def money_key() -> SafeString:
    """One intention, one key: goes into every form that can reach a broker, with scripts or without."""
    return format_html('<input type="hidden" name="idempotency_key" value="{}">', ids.new_key())


@register.filter
def market_word(markets: Sequence[Mapping[str, Any]] | None) -> str:
    """Whether ages are judged: only when every market is known to be closed they are not."""
    if markets and not any(market.get("open") for market in markets):
        return "closed"
    return "open"


@register.simple_tag
def now_ms() -> int:
    """The server's present, so that ages in the page do not depend on the visitor's clock."""
    return int(clock.now().timestamp() * 1000)


@register.filter
def bar_width(share: Decimal | int | str | None) -> str:
    """A share from 0 to 100 as an SVG width; unknown is an empty bar."""
    number = numbers.exact(share)
    if number is None:
        return "0%"
    return f"{min(max(number, Decimal(0)), Decimal(100)).quantize(Decimal('0.1')):f}%"
