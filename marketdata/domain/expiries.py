"""Which date a slot means today, from the broker's own dates. No weekday arithmetic."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum


class Slot(StrEnum):
    CURRENT_WEEK = "CURRENT_WEEK"
    NEXT_WEEK = "NEXT_WEEK"
    CURRENT_MONTH = "CURRENT_MONTH"
    NEXT_MONTH = "NEXT_MONTH"


def monthly(options: Iterable[date], futures: Iterable[date]) -> list[date]:
    """The option dates that are monthly expiries, ascending.

    As far as the futures list reaches, a date is monthly when a future expires on it. Beyond, it is the last date
    of its month, once a later date is listed (before that, a later one of the same month may still appear).
    """
    listed, future_dates = sorted(set(options)), set(futures)
    reach = max(future_dates) if future_dates else date.min
    found = []
    for at, day in enumerate(listed):
        if day <= reach:
            if day in future_dates:
                found.append(day)
        elif at + 1 < len(listed) and (listed[at + 1].year, listed[at + 1].month) != (day.year, day.month):
            found.append(day)
    return found


def option_slots(options: Iterable[date], futures: Iterable[date], *, has_weeklies: bool) -> dict[Slot, date]:
    """Slots of option legs. Both lists hold only dates whose session close is ahead. A slot that does not exist is absent."""
    listed = sorted(set(options))
    named: dict[Slot, date] = {}
    if has_weeklies:
        named.update(zip((Slot.CURRENT_WEEK, Slot.NEXT_WEEK), listed, strict=False))
    named.update(zip((Slot.CURRENT_MONTH, Slot.NEXT_MONTH), monthly(listed, futures), strict=False))
    return named


def future_slots(futures: Iterable[date]) -> dict[Slot, date]:
    return dict(zip((Slot.CURRENT_MONTH, Slot.NEXT_MONTH), sorted(set(futures)), strict=False))
