"""market/holidays and market/timings; the key is looked at, never verified."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

from simulator.clock import IST, epoch_ms
from simulator.rest.core import ApiError, Body, Call
from simulator.sessions import EQUITY_AND_FO, HOLIDAYS, LONGER_DAY_SINCE, SPECIALS


def holidays(call: Call) -> Body:
    year = call.fields["year"] or call.now.year
    rows = [_holiday(day) for day in HOLIDAYS if day.year == year and day not in SPECIALS]
    rows += [_special(day) for day, s in SPECIALS.items() if day.year == year and s.in_server_calendar]
    rows.sort(key=lambda row: str(row["date"]))
    return {"data": rows, "status": "success", "timezone": "Asia/Kolkata", "year": year}


def timings(call: Call) -> Body:
    asked = call.text("date")
    try:
        day = date.fromisoformat(asked)
    except ValueError:
        raise ApiError("Invalid date format. Use YYYY-MM-DD") from None
    if not 2020 <= day.year <= 2050:
        raise ApiError("Date must be between 2020-01-01 and 2050-12-31")
    return {"data": _timings(day), "status": "success"}


def _timings(day: date) -> list[Body]:
    special = SPECIALS.get(day)
    if special is not None and special.in_server_calendar:
        return _special_hours(day)
    holiday = HOLIDAYS.get(day)
    if holiday is not None:
        return [_hours("MCX", day, time(17, 0), time(23, 55))] if holiday[1] else []
    crypto = _hours("CRYPTO", day, time(0, 0), time(23, 59, 59))
    if day.weekday() >= 5:
        return [crypto]
    fo_close = time(15, 40) if day >= LONGER_DAY_SINCE else time(15, 30)
    table = {
        "NSE": (time(9, 15), time(15, 30)),
        "BSE": (time(9, 15), time(15, 30)),
        "NFO": (time(9, 15), fo_close),
        "BFO": (time(9, 15), fo_close),
        "MCX": (time(9, 0), time(23, 55)),
        "BCD": (time(9, 0), time(17, 0)),
        "CDS": (time(9, 0), time(17, 0)),
        "NCO": (time(9, 0), time(23, 55)),
    }
    return [_hours(exchange, day, *hours) for exchange, hours in table.items()] + [crypto]


def _holiday(day: date) -> dict[str, Any]:
    name, evening = HOLIDAYS[day]
    closed = list(EQUITY_AND_FO) if evening else [*EQUITY_AND_FO, "MCX"]
    return {
        "closed_exchanges": closed,
        "date": day.isoformat(),
        "description": name,
        "holiday_type": "TRADING_HOLIDAY",
        "open_exchanges": [_hours("MCX", day, time(17, 0), time(23, 55))] if evening else [],
    }


def _special(day: date) -> dict[str, Any]:
    return {
        "closed_exchanges": [],
        "date": day.isoformat(),
        "description": SPECIALS[day].name,
        "holiday_type": "SPECIAL_SESSION",
        "open_exchanges": _special_hours(day),
    }


def _special_hours(day: date) -> list[Body]:
    special = SPECIALS[day]
    rows = [_hours(exchange, day, special.opens, special.closes) for exchange in EQUITY_AND_FO]
    return [*rows, _hours("MCX", day, special.opens, time(0, 15), next_day=True)]


def _hours(exchange: str, day: date, opens: time, closes: time, *, next_day: bool = False) -> Body:
    start, end = datetime.combine(day, opens, IST), datetime.combine(day, closes, IST)
    return {
        "end_time": epoch_ms(end) + (86_400_000 if next_day else 0),
        "exchange": exchange,
        "start_time": epoch_ms(start),
    }
