"""From the many ways in which brokers write a time to a moment. Servers pass their text on as it is."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from algomirror.kernel import clock

# Beside ISO 8601. Days come before months: these are Indian brokers.
_WRITTEN = (
    "%d-%b-%Y %H:%M:%S",
    "%d-%b-%Y %I:%M:%S %p",
    "%d/%m/%Y %H:%M:%S",
    "%d-%m-%Y %H:%M:%S",
    "%H:%M:%S %d-%m-%Y",
    "%H:%M:%S %d/%m/%Y",
)
_TIME_OF_DAY = re.compile(r"\d{1,2}:\d{2}:\d{2}", re.ASCII)
_EPOCH = re.compile(r"\d{10}|\d{13}", re.ASCII)


def moment(text: str, today: date) -> datetime | None:
    """An aware moment; India's time where the text has no zone, `today` where it has no day. None: no time to the second."""
    try:
        if _EPOCH.fullmatch(text):
            return datetime.fromtimestamp(int(text[:10]), UTC)
        if _TIME_OF_DAY.search(text) is None:
            return None
        if _TIME_OF_DAY.fullmatch(text):
            text = f"{today:%Y-%m-%d} {text:0>8}"
        found = _parse(text)
        return found if found is None or found.tzinfo is not None else clock.of_india(found)
    except (ValueError, OverflowError):
        return None


def _parse(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for written in _WRITTEN:
        try:
            return datetime.strptime(text, written)  # noqa: DTZ007 - these texts name no zone: the caller gives it
        except ValueError:
            continue
    return None
