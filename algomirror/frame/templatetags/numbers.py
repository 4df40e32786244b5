"""Numbers as Indian traders read them. Exact decimals only; what we do not know is a dash."""

from __future__ import annotations

from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from algomirror.kernel import clock

register = template.Library()

UNKNOWN = "–"
MINUS = "\u2212"
LAKH = Decimal(100_000)
CRORE = Decimal(10_000_000)

Number = Decimal | int | str | None


def exact(value: Number) -> Decimal | None:
    """The number inside, or None when there is none. A float is a programming error."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise TypeError(f"money and prices are Decimal here, not {type(value).__name__}")
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def group(digits: str) -> str:
    """Lakh/crore commas into a run of digits: 1234567 -> 12,34,567."""
    head, tail = digits[:-3], digits[-3:]
    if not head:
        return tail
    pairs = [head[max(end - 2, 0) : end] for end in range(len(head), 0, -2)]
    return ",".join([*reversed(pairs), tail])


def _grouped(number: Decimal, places: int) -> str:
    """Unsigned, grouped, rounded half up."""
    step = Decimal(1).scaleb(-places)
    whole, _, fraction = f"{abs(number).quantize(step, rounding=ROUND_HALF_UP):f}".partition(".")
    return f"{group(whole)}.{fraction}" if fraction else group(whole)


def _is_zero(number: Decimal, places: int) -> bool:
    return number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP) == 0


def _minus(number: Decimal, places: int) -> str:
    return MINUS if number < 0 and not _is_zero(number, places) else ""


def _plus_or_minus(number: Decimal, places: int) -> str:
    if _is_zero(number, places):
        return ""
    return "+" if number > 0 else MINUS


def money_class(value: Number) -> str:
    """The class that colours a signed amount; the sign itself is always in the text."""
    number = exact(value)
    if number is None:
        return "unknown"
    if _is_zero(number, 2):
        return "pnl pnl-flat"
    return "pnl pnl-up" if number > 0 else "pnl pnl-down"


@register.filter
def rupees(value: Number) -> str:
    number = exact(value)
    return UNKNOWN if number is None else f"{_minus(number, 2)}₹{_grouped(number, 2)}"


def signed_rupees_text(value: Number) -> str:
    number = exact(value)
    if number is None:
        return UNKNOWN
    return f"{_plus_or_minus(number, 2)}₹{_grouped(number, 2)}"


@register.filter
def signed_rupees(value: Number) -> SafeString:
    """Profit or loss: sign in the text, arrow and colour from the class."""
    if exact(value) is None:
        return format_html('<span class="unknown" title="not known">{}</span>', UNKNOWN)
    return format_html('<span class="{}">{}</span>', money_class(value), signed_rupees_text(value))


def compact_rupees_text(number: Decimal) -> str:
    """₹84,250 · ₹12.35 L · ₹1.2 Cr: two decimals at most, no trailing zeros."""
    size = abs(number)
    for unit, name, from_here in (
        (CRORE, " Cr", CRORE - LAKH / 200),
        (LAKH, " L", LAKH - Decimal("0.5")),
    ):
        if size >= from_here:
            text = _grouped(size / unit, 2).rstrip("0").rstrip(".")
            return f"{_minus(number, 0)}₹{text}{name}"
    return f"{_minus(number, 0)}₹{_grouped(number, 0)}"


@register.filter
def compact_rupees(value: Number) -> SafeString:
    """Short form for cards; the exact value is in the title."""
    number = exact(value)
    if number is None:
        return format_html('<span class="unknown" title="not known">{}</span>', UNKNOWN)
    return format_html('<span class="num" title="{}">{}</span>', rupees(number), compact_rupees_text(number))


@register.filter
def price(value: Number) -> str:
    """A price in a table: two decimals, grouped, no currency sign."""
    number = exact(value)
    return UNKNOWN if number is None else f"{_minus(number, 2)}{_grouped(number, 2)}"


@register.filter
def units(value: Number) -> str:
    """A whole quantity: 1,23,456."""
    number = exact(value)
    return UNKNOWN if number is None else f"{_minus(number, 0)}{_grouped(number, 0)}"


@register.filter
def units_lots(value: int | None, lot: int | None = None) -> str:
    """Signed units with their lots: "3 lots (195)". Quantities that are no whole lots say so."""
    if value is None:
        return UNKNOWN
    if value == 0:
        return "0"
    shown = units(value)
    if not lot:
        return f"{shown} units"
    lots, rest = divmod(abs(value), lot)
    if rest:
        return f"{shown} units (lot {lot})"
    word = "lot" if lots == 1 else "lots"
    return f"{MINUS if value < 0 else ''}{group(str(lots))} {word} ({shown})"


@register.filter
def percent(value: Number, places: int = 2) -> str:
    number = exact(value)
    return UNKNOWN if number is None else f"{_minus(number, places)}{_grouped(number, places)}%"


def signed_price_text(number: Decimal) -> str:
    return f"{_plus_or_minus(number, 2)}{_grouped(number, 2)}"


def signed_percent_text(number: Decimal) -> str:
    return f"{_plus_or_minus(number, 2)}{_grouped(number, 2)}%"


@register.filter
def signed_percent(value: Number) -> SafeString:
    number = exact(value)
    if number is None:
        return format_html('<span class="unknown" title="not known">{}</span>', UNKNOWN)
    return format_html('<span class="{}">{}</span>', money_class(number), signed_percent_text(number))


def _in_india(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("times are aware here")
    return at.astimezone(clock.IST)


@register.filter
def ist(at: datetime | None) -> str:
    return UNKNOWN if at is None else f"{_in_india(at):%H:%M:%S}"


def _day(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b}"


@register.filter
def ist_date(at: datetime | date | None) -> str:
    """Tue 24 Nov 2026, the date in India."""
    if at is None:
        return UNKNOWN
    day = _in_india(at).date() if isinstance(at, datetime) else at
    return f"{_day(day)} {day.year}"


@register.filter
def ist_stamp(at: datetime | None) -> str:
    """24 Nov 14:02:11, for journals that span days."""
    if at is None:
        return UNKNOWN
    local = _in_india(at)
    return f"{local.day} {local:%b %H:%M:%S}"


def days_left_text(days: int) -> str:
    if days < 0:
        return "expired"
    return "today" if days == 0 else f"{days} d"


@register.filter
def expiry(day: date | None) -> SafeString:
    """Tue 24 Nov with the days to expiry beside it; the year only when it is another one."""
    if not day:  # also "", which templates make of a name that is not there
        return format_html('<span class="unknown">{}</span>', UNKNOWN)
    today = clock.today()
    text = _day(day) if day.year == today.year else f"{_day(day)} {day.year}"
    return format_html(
        '<time datetime="{}">{}</time> <span class="dte">{}</span>',
        day.isoformat(),
        text,
        days_left_text((day - today).days),
    )


@register.filter
def age(seconds: Number | float) -> str:
    """2 s · 3 min · 2 h · 4 d, rounded down; a negative age (skewed clocks) is 0 s."""
    if isinstance(seconds, float):
        seconds = int(seconds)
    number = exact(seconds)
    if number is None:
        return UNKNOWN
    whole = max(int(number), 0)
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if whole >= size:
            return f"{whole // size} {name}"
    return f"{whole} s"
